/**
 * YAML text as PyYAML's emitter lays it out: block style, two spaces, lines folded at 80 columns.
 *
 * @see yaml.emitter.Emitter
 */
import type { Analysis } from './yaml-scalar.ts';
import { escaped } from './yaml-scalar.ts';

const BEST_INDENT = 2;
const BEST_WIDTH = 80;

/** How a scalar is written. */
export type Style = 'plain' | 'single' | 'double' | 'literal';

/** The text so far, and where its end is. The names are those of PyYAML. */
export class Emitter {
  text = '';
  #column = 0;
  /** Whether the last character was a space, or something that needs none behind it. */
  #whitespace = true;
  /** Whether the line has nothing but indentation and indicators so far. */
  #indention = true;
  /** `null` at the root. */
  #indent: number | null = null;

  get indention(): boolean {
    return this.#indention;
  }

  /** Runs `emit` further in. @param indentless - a sequence in a mapping, which PyYAML does not indent */
  indented(
    emit: () => void,
    { flow = false, indentless = false }: { readonly flow?: boolean; readonly indentless?: boolean } = {},
  ): void {
    const outer = this.#indent;
    if (outer === null) this.#indent = flow ? BEST_INDENT : 0;
    else if (!indentless) this.#indent = outer + BEST_INDENT;
    emit();
    this.#indent = outer;
  }

  indicator(text: string, needWhitespace: boolean, indention = false): void {
    const data = this.#whitespace || !needWhitespace ? text : ` ${text}`;
    this.#whitespace = false;
    this.#indention &&= indention;
    this.#write(data);
  }

  /** Begins a line, unless it has begun. */
  indent(): void {
    const indent = this.#indent ?? 0;
    if (!this.#indention || this.#column > indent || (this.#column === indent && !this.#whitespace)) this.#lineBreak();
    if (this.#column >= indent) return;
    this.#whitespace = true;
    this.#write(' '.repeat(indent - this.#column));
  }

  /** @param split - whether lines may be folded; not so those of keys */
  scalar(text: string, style: Style, split: boolean): void {
    if (style === 'plain') this.#plain(text, split);
    else if (style === 'single') this.#singleQuoted(text, split);
    else if (style === 'double') this.#doubleQuoted(Array.from(text), split);
    else this.#literal(text);
  }

  #plain(text: string, split: boolean): void {
    if (!this.#whitespace) this.#write(' ');
    this.#whitespace = false;
    this.#indention = false;
    for (const part of text.match(/ +|[^ ]+/g) ?? []) {
      if (part === ' ' && this.#column > BEST_WIDTH && split) {
        this.indent();
        this.#whitespace = false;
        this.#indention = false;
      } else this.#write(part);
    }
  }

  #singleQuoted(text: string, split: boolean): void {
    this.indicator("'", true);
    let at = 0;
    for (const part of text.match(/ +|\n+|[^ \n]+/g) ?? []) {
      const isInside = at > 0 && at + part.length < text.length;
      at += part.length;
      if (part.startsWith('\n')) this.#breaks(part.length);
      else if (part === ' ' && this.#column > BEST_WIDTH && split && isInside) this.indent();
      else this.#write(part.replaceAll("'", "''"));
    }
    this.indicator("'", false);
  }

  /** Line breaks within quotes: one of them is lost in folding. */
  #breaks(count: number): void {
    for (let i = 0; i <= count; i++) this.#lineBreak();
    this.indent();
  }

  #doubleQuoted(chars: readonly string[], split: boolean): void {
    this.indicator('"', true);
    let run = '';
    for (const [at, char] of chars.entries()) {
      const isInside = at > 0 && at < chars.length - 1;
      const data = escaped(char);
      if (data !== char) {
        this.#write(run + data);
        run = '';
      }
      // Behind an escape; there PyYAML counts a column less at first.
      const mayBreak = isInside && split && (char === ' ' || run === '');
      if (mayBreak && this.#column + (data === char ? run.length : -1) > BEST_WIDTH) {
        this.#write(`${run}\\`);
        run = '';
        this.#continue(data === char ? char : chars[at + 1]);
      }
      if (data === char) run += char;
    }
    this.#write(run);
    this.indicator('"', false);
  }

  /** Goes on with a double-quoted text on the next line. @param next - its next character */
  #continue(next: string | undefined): void {
    this.indent();
    this.#whitespace = false;
    this.#indention = false;
    if (next === ' ') this.#write('\\');
  }

  /** Lines that end with a line break, none of them empty. */
  #literal(text: string): void {
    this.indicator('|', true);
    this.#lineBreak();
    for (const line of text.split('\n').slice(0, -1)) {
      this.indent();
      this.text += line;
      this.#lineBreak();
    }
  }

  #lineBreak(): void {
    this.#whitespace = true;
    this.#indention = true;
    this.#column = 0;
    this.text += '\n';
  }

  #write(data: string): void {
    this.#column += data.length;
    this.text += data;
  }
}

/** The style of a text. @param isPlain - whether it is read as the right type without quotes */
export function styleOf({ allowPlain, allowSingleQuoted }: Analysis, isPlain: boolean): Style {
  if (isPlain && allowPlain) return 'plain';
  return allowSingleQuoted ? 'single' : 'double';
}
