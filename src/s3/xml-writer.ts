const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
// eslint-disable-next-line no-control-regex
const SPECIAL = /[&<>"'\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]/;
const ALL_SPECIAL = new RegExp(SPECIAL.source, 'g');
const REFERENCES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/**
 * Escapes text for an element. Characters that XML 1.0 cannot carry become character references, as AWS writes them: a
 * client that lists such keys asks for `encoding-type=url`.
 */
export function escapeXml(text: string): string {
  if (!SPECIAL.test(text)) {
    return text;
  }
  return text.replace(
    ALL_SPECIAL,
    (character) => REFERENCES[character] ?? `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`,
  );
}

/** An element with escaped text; nothing at all when the value is undefined. */
export function textElement(name: string, value: string | number | boolean | undefined): string {
  return value === undefined ? '' : `<${name}>${typeof value === 'string' ? escapeXml(value) : value}</${name}>`;
}

/** An element whose content is already XML. */
export function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

/** A whole answer in the namespace of S3. */
export function xmlDocument(root: string, content: string): string {
  return `${DECLARATION}<${root} xmlns="${NAMESPACE}">${content}</${root}>`;
}

/** A whole answer of those that AWS sends without a namespace. */
export function plainXmlDocument(root: string, content: string): string {
  return `${DECLARATION}<${root}>${content}</${root}>`;
}

/** The error document, which has no namespace. */
export function errorDocument(
  code: string,
  message: string,
  details: Readonly<Record<string, string>>,
  resource: string,
  requestId: string,
  hostId: string,
): string {
  let content = textElement('Code', code) + textElement('Message', message);
  for (const name in details) {
    if (/^[A-Za-z][\w.-]*$/.test(name)) {
      content += textElement(name, details[name]);
    }
  }
  content += textElement('Resource', resource) + textElement('RequestId', requestId) + textElement('HostId', hostId);
  return plainXmlDocument('Error', content);
}

/**
 * An element with a time in ISO 8601, in whole seconds and yet with milliseconds, as S3 writes them: so the times of
 * listings equal those of Last-Modified headers.
 */
export function timeElement(name: string, time: Date): string {
  return `<${name}>${time.toISOString().slice(0, -4)}000Z</${name}>`;
}
