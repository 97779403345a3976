/** Payloads of another serializer than the reader's: most often one side of Celery is configured differently. */

/** What a payload looks like by its first bytes: `'pickle'`, `'msgpack'`, `'yaml'` or `'JSON'`. */
export function guessFormat(bytes: Buffer): string | undefined {
  const [first = 0, second = 0] = bytes;
  if (first === 0x80 && second >= 2 && second <= 5) return 'pickle';
  if ((first >= 0x80 && first <= 0x9f) || (first >= 0xdc && first <= 0xdf)) return 'msgpack';
  if (first === 0x7b || first === 0x5b) return 'JSON';
  return /^[a-z]\w*:\s/.test(bytes.toString('latin1', 0, 64)) ? 'yaml' : undefined;
}

/** The guess and what to do about it, as a sentence; `undefined` when it looks like `own`, or like nothing known. */
export function foreignFormat(bytes: Buffer, own: string): string | undefined {
  const format = guessFormat(bytes);
  if (format === undefined || format.toLowerCase() === own) return undefined;
  return `looks like ${format}: set result_serializer='${own}' on the Python side.`;
}
