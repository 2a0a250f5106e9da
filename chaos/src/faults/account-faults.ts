import { setTimeout as sleep } from 'node:timers/promises';
import { endsByItself, type FaultKind } from './fault.js';

/** What may be taken from the user of the application. */
const DENIED = ['-@write', '-@blocking', '-@scripting', '-@transaction', '-client|unblock', '-@read'];

/** Changes to the account of the application. */
export const ACCOUNT_FAULTS: readonly FaultKind[] = [
  {
    name: 'ACL denies commands',
    layer: 'server',
    ms: [100, 1_500],
    start: async ({ arena, random }) => {
      await arena.changeUser(random.pick(DENIED));
      return () => arena.changeUser('+@all');
    },
  },
  {
    name: 'ACL denies channels',
    layer: 'server',
    ms: [100, 1_500],
    start: async ({ arena }) => {
      await arena.changeUser('resetchannels');
      return () => arena.changeUser('&*');
    },
  },
  {
    name: 'password rotated',
    layer: 'server',
    ms: [100, 1_000],
    start: async ({ arena }) => {
      await arena.changePassword({ keepOld: true });
      arena.tellPassword();
      return async () => {
        await arena.forgetOldPasswords();
        await arena.admin('CLIENT', 'KILL', 'USER', arena.user);
      };
    },
  },
  {
    name: 'password changed before the application knew',
    layer: 'server',
    ms: [100, 1_000],
    start: async ({ arena, ms }) => {
      await arena.changePassword({ keepOld: false });
      await arena.admin('CLIENT', 'KILL', 'USER', arena.user);
      await sleep(ms);
      arena.tellPassword();
      return endsByItself;
    },
  },
];
