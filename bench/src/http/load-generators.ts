/** What asks the HTTP servers: sockets of our own, half as expensive as autocannon and less of a limit; or that. */
export const LOAD_GENERATORS = ['sockets', 'autocannon'] as const;
export type LoadGenerator = (typeof LOAD_GENERATORS)[number];
