/** One line of CLIENT LIST. */
export interface ClientInfo {
  readonly id: number;
  /** Address of the client, `host:port` or the path of the unix socket. */
  readonly addr: string;
  /** Name given with CLIENT SETNAME; '' without one. */
  readonly name: string;
  readonly db: number;
  /** One letter per property: N normal, P subscriber, b blocked, x in MULTI, d WATCHed key changed ... */
  readonly flags: string;
  /** The command that ran last or runs now, lower case. */
  readonly cmd: string;
  /** Every field as the server wrote it. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Whether it is a link between servers: of a replica or a master, of a Sentinel, or for keys on the move. */
export function isServerLink({ name, flags, cmd }: ClientInfo): boolean {
  return /[SM]/.test(flags) || /^sentinel-[0-9a-f]+-(cmd|pubsub)$/.test(name) || cmd === 'restore-asking';
}

/** Parses the reply of CLIENT LIST. */
export function parseClientList(reply: string): ClientInfo[] {
  return reply
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseClient);
}

function parseClient(line: string): ClientInfo {
  const fields = Object.fromEntries(line.trim().split(' ').map(splitField));
  const { id, addr = '', name = '', db, flags = '', cmd = '' } = fields;
  return { id: Number(id), addr, name, db: Number(db), flags, cmd, fields };
}

function splitField(field: string): readonly [string, string] {
  const at = field.indexOf('=');
  return at < 0 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)];
}
