import type { Server, ServerResponse } from 'node:http';

/** What a route of the contract sees: the framework's own request object and the raw response. */
export interface ContractExchange {
  /** `req.redis`, read lazily (a getter): a route that does not touch it must not make it. */
  readonly redis: unknown;
  readonly query: Readonly<Record<string, string>>;
  /** The framework's own. */
  readonly request: unknown;
  readonly response: ServerResponse;
}

/** Answers GET. */
export interface ContractRoute {
  readonly path: string;
  /** What it returns is sent as JSON. Where it has answered on `response` itself, it returns nothing. */
  readonly handle: (exchange: ContractExchange) => unknown;
}

/** A running application. */
export interface ContractApp {
  /** `http://127.0.0.1:<port>`, listening. */
  readonly url: string;
  readonly server: Server;
  /** The application's handle. */
  pool(namespace?: string): unknown;
  /** The framework's way to end an application in order; idempotent. */
  close(): Promise<void>;
}

/** What an application is made of. */
export interface ContractSetup {
  /** One mounted pool for each, in this order. */
  readonly pools: readonly object[];
  readonly routes: readonly ContractRoute[];
  /** Gets every line that the framework, or the pool through it, logs. */
  readonly log?: (line: string) => void;
}

/** How the contract starts applications of one framework. */
export interface AdapterHarness {
  /** Framework and version: 'fastify 5', 'nestjs 12 on express'. */
  readonly name: string;
  /** Whether the framework wants the pool without a namespace before all others. @default false */
  readonly mainPoolFirst?: boolean;
  /** Rejects when the start fails, with nothing left open. */
  start(setup: ContractSetup): Promise<ContractApp>;
}
