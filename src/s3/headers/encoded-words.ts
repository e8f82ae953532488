const PLAIN = /^[\x20-\x7e\t]*$/;
const WORD = /=\?([^?\s]+)\?([bq])\?([^?\s]*)\?=/gi;
const BLANKS_BETWEEN_WORDS = /(\?=)[ \t]+(?==\?[^?\s]+\?[bq]\?)/gi;
/** RFC 2047 allows a word 75 characters, of which its frame takes 12. */
const MAX_ENCODED = 63;
/** Blanks become `_`; these have a meaning of their own in a word. */
const RESERVED = '=_?';

/**
 * Text as S3 puts it into a metadata header: as it is when it is printable ASCII, else as encoded words of RFC 2047, in
 * the encoding that leaves more of it readable.
 */
export function toEncodedWords(text: string): string {
  if (PLAIN.test(text)) {
    return text;
  }
  const readable = Array.from(text).filter((character) => PLAIN.test(character)).length;
  const quoted = readable > text.length - readable;
  return words(text, quoted ? 'Q' : 'B', quoted ? quotedPrintable : base64).join(' ');
}

/**
 * The text of a metadata header that may hold encoded words of RFC 2047. What is no word, or names a character set that
 * nobody knows, stays as it is; bytes that are no text become U+FFFD.
 */
export function fromEncodedWords(value: string): string {
  if (!value.includes('=?')) {
    return value;
  }
  return value
    .replace(BLANKS_BETWEEN_WORDS, '$1')
    .replace(WORD, (word, charset: string, encoding: string, text: string) => {
      try {
        const bytes = encoding.toUpperCase() === 'B' ? Buffer.from(text, 'base64') : quotedBytes(text);
        return new TextDecoder(charset, { ignoreBOM: true }).decode(bytes);
      } catch {
        return word;
      }
    });
}

/** Words hold whole characters; what is too long for one is cut in the middle, again and again. */
function words(text: string, mark: 'B' | 'Q', encode: (text: string) => string): string[] {
  const encoded = encode(text);
  if (encoded.length <= MAX_ENCODED || text.length < 2) {
    return [`=?UTF-8?${mark}?${encoded}?=`];
  }
  const middle = text.length >> 1;
  const at = isHighSurrogate(text.charCodeAt(middle - 1)) ? middle + 1 : middle;
  return at >= text.length
    ? [`=?UTF-8?${mark}?${encoded}?=`]
    : [...words(text.slice(0, at), mark, encode), ...words(text.slice(at), mark, encode)];
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function quotedPrintable(text: string): string {
  let result = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(byte);
    const plain = byte > 0x20 && byte < 0x7f && !RESERVED.includes(character);
    result += byte === 0x20 ? '_' : plain ? character : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return result;
}

function quotedBytes(text: string): Buffer {
  const unescaped = text
    .replaceAll('_', ' ')
    .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(unescaped, 'latin1');
}
