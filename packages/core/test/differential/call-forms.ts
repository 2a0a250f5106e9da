import { type Client, methodOf, multi, pipeline } from './peers.js';
import type { Call } from './sample-group.js';

/** One way to make a call. */
export interface CallForm {
  readonly title: string;
  readonly run: (client: Client, call: Call) => unknown;
}

const capitalized = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1)}`;

/** The ways that a pool, an ioredis client and their pipelines have in common. */
export const SINGLE_FORMS: readonly CallForm[] = [
  { title: 'as a method', run: (client, [name, ...args]) => methodOf(client, name)(...args) },
  {
    title: 'as a Buffer method',
    run: (client, [name, ...args]) => methodOf(client, `${name}Buffer`)(...args),
  },
  { title: 'through call() in lower case', run: (client, [name, ...args]) => client.call(name, ...args) },
  {
    title: 'through call() in upper case',
    run: (client, [name, ...args]) => client.call(name.toUpperCase(), ...args),
  },
  {
    title: 'through callBuffer() in mixed case',
    run: (client, [name, ...args]) => client.callBuffer(capitalized(name), ...args),
  },
];

function execInEveryForm(chain: Client, call: Call): unknown {
  for (const form of SINGLE_FORMS) form.run(chain, call);
  return chain.exec();
}

export const IN_PIPELINE: CallForm = {
  title: 'in a pipeline, in every form at once',
  run: (client, call) => execInEveryForm(pipeline(client), call),
};

const IN_TRANSACTION: CallForm = {
  title: 'in a transaction, in every form at once',
  run: (client, call) => execInEveryForm(multi(client), call),
};

export const CALL_FORMS: readonly CallForm[] = [...SINGLE_FORMS, IN_PIPELINE, IN_TRANSACTION];
