/** Keeps passwords out of what is shown. */

/** The login of a URL, wherever one stands in a text: up to the last @, since a password may have one, or a /, of its own. */
const LOGIN = /([a-z][a-z0-9+.-]*:\/\/)[^\s"']*@/gi;
const QUERY = /([?&]password=)[^&\s"']*/gi;

/** A text in which no URL has a login, and none of the given secrets stands. */
export function redact(text: string, secrets: readonly string[] = []): string {
  // Logins of URLs first: a secret in one may be percent-encoded.
  const masked = text.replace(LOGIN, '$1**@').replace(QUERY, '$1**');
  return secrets.reduce((shown, secret) => shown.replaceAll(secret, '**'), masked);
}

/** The passwords in a URL, as they are written there and as they are. Short ones would hide too much else. */
export function secretsOf(url: string | undefined): readonly string[] {
  if (url === undefined) return [];
  const written = [...url.matchAll(/\/\/[^:@/]*:(.+?)@/g), ...url.matchAll(/[?&]password=([^&#]*)/g)];
  const found = written.flatMap(([, text = '']) => [text, decoded(text)]);
  return [...new Set(found)].filter(({ length }) => length >= 4).sort((a, b) => b.length - a.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
