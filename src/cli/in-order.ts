/** Many things at a time, told in order. */

/**
 * What `map` makes of each item, in the order of the items, at most `most` at a time. What is done is told at once, so
 * that a slow source holds nothing back.
 *
 * @param map - must not reject
 */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T>,
  most: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const source = items[Symbol.asyncIterator]();
  const pending: Promise<{ readonly made: R }>[] = [];
  let next: Promise<IteratorResult<T>> | undefined = ask(source);
  while (next || pending.length > 0) {
    const [first] = pending;
    const rivals = [...(first ? [first] : []), ...(next && pending.length < most ? [next] : [])];
    const came = await Promise.race(rivals);
    if ('made' in came) {
      void pending.shift();
      yield came.made;
    } else if (came.done) {
      next = undefined;
    } else {
      pending.push(map(came.value).then((made) => ({ made })));
      next = ask(source);
    }
  }
}

/** Whoever stops early leaves the last question unanswered. */
function ask<T>(source: AsyncIterator<T>): Promise<IteratorResult<T>> {
  const next = source.next();
  next.catch(() => undefined);
  return next;
}
