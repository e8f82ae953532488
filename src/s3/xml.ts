import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { S3Error } from './s3-error';

/** An element of a request document: its text, its child elements and its attributes, namespaces dropped. */
export class XmlElement {
  constructor(
    readonly name: string,
    readonly text: string,
    readonly children: readonly XmlElement[],
    /** By name; values as they are written, entities and all. */
    readonly attributes: ReadonlyMap<string, string>,
  ) {}

  /** The only child of this name. @throws S3Error MalformedXML when there are several */
  child(name: string): XmlElement | undefined {
    const found = this.all(name);
    if (found.length > 1) {
      throw new S3Error('MalformedXML');
    }
    return found[0];
  }

  /** Text of a child, verbatim; undefined when there is none. */
  textOf(name: string): string | undefined {
    return this.child(name)?.text;
  }

  /** Text of a child that must be there. @throws S3Error MalformedXML */
  required(name: string): string {
    const text = this.textOf(name);
    if (text === undefined) {
      throw new S3Error('MalformedXML');
    }
    return text;
  }

  all(name: string): XmlElement[] {
    return this.children.filter((child) => child.name === name);
  }
}

const TEXT = '#text';
const CDATA = '#cdata';
const ATTRIBUTES = ':@';
const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();
const MAX_DEPTH = 16;
const NAMED_ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Entities stay untouched here and are decoded by us: exactly the five of XML and character references. */
const parser = new XMLParser({
  preserveOrder: true,
  parseTagValue: false,
  trimValues: false,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseAttributeValue: false,
  removeNSPrefix: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  processEntities: false,
  textNodeName: TEXT,
  cdataPropName: CDATA,
  maxNestedTags: MAX_DEPTH,
});

type ParsedNode = Readonly<Record<string, unknown>>;

/**
 * Reads a request document strictly: UTF-8, well formed, one root of the given name, no document type, no entities beyond
 * the predefined ones, at most 16 levels deep. Values are never guessed to be numbers.
 *
 * @param body already limited in size by the caller
 * @param root any name will do when left out
 * @throws S3Error MissingRequestBodyError, MalformedXML
 */
export function parseXml(body: Buffer, root?: string): XmlElement {
  if (body.length === 0) {
    throw new S3Error('MissingRequestBodyError');
  }
  let source: string;
  try {
    source = utf8.decode(body);
  } catch {
    throw new S3Error('MalformedXML');
  }
  if (source.includes('<!DOCTYPE') || source.includes('<!ENTITY') || /<!(doctype|entity)/i.test(source)) {
    throw new S3Error('MalformedXML', 'Document type declarations are not accepted.');
  }
  // XML does not allow it, and Postgres cannot hold it.
  if (source.includes('\0')) {
    throw new S3Error('MalformedXML');
  }
  let nodes: readonly ParsedNode[];
  try {
    if (XMLValidator.validate(source) !== true) {
      throw new S3Error('MalformedXML');
    }
    nodes = parser.parse(source) as readonly ParsedNode[];
  } catch {
    throw new S3Error('MalformedXML');
  }
  const elements = elementOf('', nodes, 0, NO_ATTRIBUTES).children;
  const [element] = elements;
  if (element === undefined || elements.length !== 1 || (root !== undefined && element.name !== root)) {
    throw new S3Error('MalformedXML');
  }
  return element;
}

function elementOf(
  name: string,
  nodes: readonly ParsedNode[],
  depth: number,
  attributes: ReadonlyMap<string, string>,
): XmlElement {
  if (depth > MAX_DEPTH) {
    throw new S3Error('MalformedXML');
  }
  let text = '';
  const children: XmlElement[] = [];
  for (const node of nodes) {
    for (const childName of Object.keys(node)) {
      const value = node[childName];
      if (childName === TEXT) {
        text += decodeEntities(String(value));
      } else if (childName === CDATA) {
        text += cdataText(value as readonly ParsedNode[]);
      } else if (Array.isArray(value)) {
        children.push(elementOf(childName, value as readonly ParsedNode[], depth + 1, attributesOf(node)));
      }
    }
  }
  return new XmlElement(name, text, children, attributes);
}

function attributesOf(node: ParsedNode): ReadonlyMap<string, string> {
  const found = node[ATTRIBUTES];
  return found === undefined ? NO_ATTRIBUTES : new Map(Object.entries(found as Readonly<Record<string, string>>));
}

function cdataText(nodes: readonly ParsedNode[]): string {
  return nodes.map((node) => node[TEXT] as string).join('');
}

function decodeEntities(text: string): string {
  if (!text.includes('&')) {
    return text;
  }
  return text.replace(/&([^;&]{0,12})(;?)/g, (_, reference: string, semicolon: string) => {
    const character = semicolon === '' ? undefined : (NAMED_ENTITIES[reference] ?? characterOf(reference));
    if (character === undefined) {
      throw new S3Error('MalformedXML');
    }
    return character;
  });
}

function characterOf(reference: string): string | undefined {
  const match = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(reference);
  if (match === null) {
    return undefined;
  }
  const code = match[1] === undefined ? Number(match[2]) : Number.parseInt(match[1], 16);
  const forbidden = code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
  return forbidden ? undefined : String.fromCodePoint(code);
}
