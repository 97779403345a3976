/**
 * How PyYAML sees a scalar: which texts it would take for something else than a text, and which styles a text may have.
 *
 * @see yaml.resolver.Resolver
 * @see yaml.emitter.Emitter.analyze_scalar
 */

/** What a scalar without quotes may be besides a text. */
type Kind = 'bool' | 'null' | 'int' | 'float' | 'date' | 'timestamp';

/** The forms by which PyYAML tells them, those of YAML 1.1. */
export const FORMS: Readonly<Record<Kind, RegExp>> = {
  bool: /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/,
  null: /^(?:~|null|Null|NULL|)$/,
  int: /^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/,
  float:
    /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
  date: /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/,
  timestamp:
    /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?$/,
};

const NOT_TEXT = [...Object.values(FORMS), /^(?:<<|=|[!&*])$/];

/** First characters of what is not a text; the empty text is null. */
const SUSPICIOUS = /^(?:$|[-+0-9.~yYnNtTfFoO<=!&*])/;

/** Whether PyYAML, and so we, take a text without quotes for a text. */
export function isPlainText(text: string): boolean {
  return !SUSPICIOUS.test(text) || !NOT_TEXT.some((form) => form.test(text));
}

/** What a text allows. */
export interface Analysis {
  readonly multiline: boolean;
  readonly allowPlain: boolean;
  readonly allowSingleQuoted: boolean;
}

const ORDINARY = /^[\w/.][\w/.+-]*$/;
const ANYTHING = { multiline: false, allowPlain: true, allowSingleQuoted: true };

/** Analyzes a text that is not within a flow collection. All but ASCII is special, since we write ASCII. */
export function analyze(text: string): Analysis {
  if (ORDINARY.test(text) && !text.startsWith('...')) return ANYTHING;
  const multiline = /[\n\x85\u2028\u2029]/.test(text);
  const special = /[^\n\x20-\x7e]/.test(text) || text.includes(' \n');
  const indicators = /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[-?:](?:[ \n]|$))|:(?:[ \n]|$)|[ \n]#/.test(text);
  return {
    multiline,
    allowPlain: !multiline && !special && !indicators && !/^ | $/.test(text),
    allowSingleQuoted: !special && !text.includes('\n '),
  };
}

/** Signs that have an escape of their own between double quotes. */
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\0': '0', '\x07': 'a', '\b': 'b', '\t': 't', '\n': 'n', '\v': 'v', '\f': 'f', '\r': 'r', '\x1b': 'e', '"': '"',
  '\\': '\\', '\x85': 'N', '\xa0': '_', '\u2028': 'L', '\u2029': 'P',
}; // prettier-ignore

/** A character as it stands between double quotes: itself, or an escape. */
export function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code >= 0x20 && code <= 0x7e && char !== '"' && char !== '\\') return char;
  const short = SHORT_ESCAPES[char];
  if (short !== undefined) return `\\${short}`;
  const [letter, width] = code <= 0xff ? ['x', 2] : code <= 0xffff ? ['u', 4] : ['U', 8];
  return `\\${letter}${code.toString(16).toUpperCase().padStart(width, '0')}`;
}
