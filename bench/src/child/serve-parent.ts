/** What a child process answers to one order. */
export type ChildReply<Result> =
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'error'; readonly message: string };

/** Answers each order of the parent, one at a time; the process ends with its parent. */
export function serveParent<Order, Result>(work: (order: Order) => Promise<Result>): void {
  process.on('disconnect', () => process.exit());
  process.on('message', (order) => {
    work(order as Order).then(
      (result) => send({ kind: 'result', result }),
      (error: unknown) =>
        send({ kind: 'error', message: error instanceof Error ? `${error.stack}` : `${error}` }),
    );
  });
}

function send<Result>(reply: ChildReply<Result>): void {
  process.send?.(reply);
}
