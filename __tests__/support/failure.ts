/** The error that a call rejects with. */
export async function failure<E extends Error>(call: Promise<unknown>): Promise<E> {
  return call.then(
    () => {
      throw new Error('expected a rejection, but it resolved');
    },
    (error: unknown) => error as E,
  );
}
