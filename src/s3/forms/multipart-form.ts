import { invalidArgument, S3Error } from '../s3-error';

/** What may come before the bytes of the file. */
const MAX_FIELDS_BYTES = 20_480;
const MAX_FIELDS = 200;
const CRLF = Buffer.from('\r\n');
const END_OF_HEADERS = Buffer.from('\r\n\r\n');
const FILE = 'file';

/** What a browser sent before the file, and the file as it arrives. */
export interface MultipartForm {
  /** Values by lower-case name; of equal names the first. */
  readonly fields: ReadonlyMap<string, string>;
  /** Names of fields as they were sent, by lower-case name. */
  readonly names: ReadonlyMap<string, string>;
  /** Without any folder; undefined when the file came as a field like any other. */
  readonly fileName?: string;
  readonly fileType?: string;
  /** To be read once; fails with S3Error when the form ends early. */
  readonly file: AsyncIterable<Buffer>;
}

/**
 * Reads a `multipart/form-data` body (RFC 7578) up to its field `file`, whose bytes are then passed on as they come.
 * Fields after the file are ignored, as S3 does.
 *
 * @param contentType value of the Content-Type header
 * @throws S3Error MalformedPOSTRequest, MaxPostPreDataLengthExceeded, InvalidArgument when there is no file
 */
export async function readMultipartForm(
  body: AsyncIterable<Buffer>,
  contentType: string | undefined,
): Promise<MultipartForm> {
  const boundary = boundaryOf(contentType ?? '');
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  const reader = new FormReader(body);
  const fields = new Map<string, string>();
  const names = new Map<string, string>();
  // The first delimiter may stand at the very beginning, without the line break before it.
  reader.prepend(CRLF);
  await reader.until(delimiter);
  for (let count = 0; count <= MAX_FIELDS; count++) {
    const mark = await reader.take(2);
    if (mark.toString('latin1') === '--') {
      throw invalidArgument('POST requires exactly one file upload per request.', FILE, '0');
    }
    if (!mark.equals(CRLF)) {
      throw new S3Error('MalformedPOSTRequest');
    }
    reader.prepend(CRLF);
    const part = partOf((await reader.until(END_OF_HEADERS)).toString('utf8'));
    const name = part.name.toLowerCase();
    if (name === FILE) {
      return { fields, names, fileName: part.fileName, fileType: part.type, file: reader.rest(delimiter) };
    }
    const value = (await reader.until(delimiter)).toString('utf8');
    if (!fields.has(name)) {
      fields.set(name, value);
      names.set(name, part.name);
    }
  }
  throw tooManyFields();
}

/** A pull reader over the pieces of a body that never holds more than the fields, or one piece of the file. */
class FormReader {
  readonly #source: AsyncIterator<Buffer, undefined>;
  #held: Buffer = Buffer.alloc(0);
  #consumed = 0;

  constructor(body: AsyncIterable<Buffer>) {
    this.#source = body[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  }

  prepend(bytes: Buffer): void {
    this.#held = Buffer.concat([bytes, this.#held]);
  }

  /** The bytes before a delimiter, which is consumed. */
  async until(delimiter: Buffer): Promise<Buffer> {
    let from = 0;
    for (;;) {
      const at = this.#held.indexOf(delimiter, from);
      if (at >= 0) {
        const before = this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + delimiter.length);
        this.#consumed += at + delimiter.length;
        if (this.#consumed > MAX_FIELDS_BYTES) {
          throw tooManyFields();
        }
        return before;
      }
      from = Math.max(0, this.#held.length - delimiter.length + 1);
      if (this.#consumed + this.#held.length > MAX_FIELDS_BYTES) {
        throw tooManyFields();
      }
      await this.#fill();
    }
  }

  async take(count: number): Promise<Buffer> {
    while (this.#held.length < count) {
      await this.#fill();
    }
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  /** Everything before a delimiter, piece by piece; what follows the delimiter is read and dropped. */
  async *rest(delimiter: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.#held.indexOf(delimiter);
      if (at >= 0) {
        if (at > 0) {
          yield this.#held.subarray(0, at);
        }
        break;
      }
      const safe = this.#held.length - delimiter.length + 1;
      if (safe > 0) {
        yield this.#held.subarray(0, safe);
        this.#held = this.#held.subarray(safe);
      }
      await this.#fill();
    }
    while ((await this.#source.next()).done !== true) {
      // Only so that the connection can be used again.
    }
  }

  async #fill(): Promise<void> {
    const { done, value } = await this.#source.next();
    if (done === true) {
      throw new S3Error('MalformedPOSTRequest');
    }
    this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value]);
  }
}

function tooManyFields(): S3Error {
  return new S3Error('MaxPostPreDataLengthExceeded', undefined, {
    MaxPostPreDataLengthBytes: String(MAX_FIELDS_BYTES),
  });
}

function boundaryOf(contentType: string): string {
  const match = /^multipart\/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) {
    throw new S3Error('MalformedPOSTRequest');
  }
  return boundary;
}

function partOf(headers: string): { name: string; fileName?: string; type?: string } {
  const disposition = /^content-disposition:\s*form-data(.*)$/im.exec(headers)?.[1] ?? '';
  const name = parameterOf(disposition, 'name');
  if (name === undefined) {
    throw new S3Error('MalformedPOSTRequest');
  }
  return {
    name,
    fileName: parameterOf(disposition, 'filename')?.replace(/^.*[\\/]/s, ''),
    type: /^content-type:[ \t]*(\S.*?)[ \t]*$/im.exec(headers)?.[1],
  };
}

/** Browsers write quotes and line breaks inside values as percent escapes (HTML, form submission). */
function parameterOf(disposition: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"([^"]*)"|([^\\s;"]+))`, 'i').exec(disposition);
  const value = match?.[1] ?? match?.[2];
  return value?.replace(/%22/g, '"').replace(/%0D/g, '\r').replace(/%0A/g, '\n');
}
