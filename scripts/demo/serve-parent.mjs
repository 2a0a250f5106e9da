/**
 * The other side of child.mjs: answers the orders of the demo, and ends when the demo lets go or is gone.
 *
 * @param {(order: object, report: (progress: unknown) => void) => Promise<unknown>} answer
 * @param {() => unknown} [close] run before the end
 */
export function serveParent(answer, close = () => {}) {
  // Ctrl-C reaches the children too; it is for the demo to say when they end.
  process.on('SIGINT', () => {});
  process.once('disconnect', async () => {
    await close();
    process.exit();
  });
  process.on('message', async (order) => {
    try {
      send({ reply: await answer(order, (progress) => send({ progress })) });
    } catch (error) {
      send({ error: error.message });
    }
  });
}

function send(message) {
  if (process.connected) process.send(message);
}
