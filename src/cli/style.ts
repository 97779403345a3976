/** Colours, where there is a terminal that wants them. */
import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Colours a text, or leaves it. */
export type Paint = (format: Format, text: string) => string;

/** What is asked of the environment. */
type Env = Readonly<Record<string, string | undefined>>;

/**
 * Whether to colour what goes to a stream: on a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`; with
 * `FORCE_COLOR` elsewhere too.
 *
 * @see https://no-color.org
 */
export function wantsColour(isTerminal: boolean, env: Env): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const forced = env['FORCE_COLOR'] ?? '';
  if (forced !== '') return forced !== '0' && forced !== 'false';
  return isTerminal && env['TERM'] !== 'dumb';
}

/** @param colour - see {@link wantsColour} */
export function painter(colour: boolean): Paint {
  // The decision was made; Node would make it for the process's own streams.
  return colour ? (format, text) => styleText(format, text, { validateStream: false }) : (_, text) => text;
}

const STATES: Readonly<Record<string, Format>> = {
  SUCCESS: 'green',
  FAILURE: 'red',
  REVOKED: 'red',
  RETRY: 'yellow',
  PENDING: 'gray',
};

/** A state in its colour. */
export function paintState(paint: Paint, status: string): string {
  return paint(STATES[status] ?? 'cyan', status);
}
