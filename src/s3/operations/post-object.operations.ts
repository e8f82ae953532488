import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { requiredField } from '../../identity/sigv4/form-signature';
import type { WriteResult } from '../../object-storage/object-storage.types';
import { ObjectService } from '../../object-storage/object.service';
import { AclRequests } from '../acl-requests';
import { writeHeaders } from '../answer-headers';
import { readMultipartForm, type MultipartForm } from '../forms/multipart-form';
import { checkPostPolicy, type FileBounds } from '../forms/post-policy';
import { sentChecksum } from '../headers/checksum-headers';
import { writeConditions } from '../headers/condition-headers';
import { lockOf } from '../headers/lock-headers';
import { metadataOf, refuseUnsupportedWriteHeaders, tagsOf } from '../headers/object-headers';
import { requestedEncryption } from '../headers/sse-headers';
import { LifecycleHeaders } from '../lifecycle-headers';
import { S3Authenticator } from '../s3-authenticator';
import { S3Authorizer } from '../s3-authorizer';
import { emptyAnswer, S3Call, type S3Answer, type S3Handlers } from '../s3-call';
import { invalidArgument, S3Error } from '../s3-error';
import { S3Events, writeEvent } from '../s3-events';
import { parseXml } from '../xml';
import { plainXmlDocument, textElement } from '../xml-writer';

const MAX_FILE_BYTES = 5 * 1024 ** 3;
/** How far a file beyond its bounds is still read, to tell its size. */
const MAX_COUNTED_EXCESS = 16 * 1024 ** 2;
const PLAIN_HEADERS = [
  'cache-control',
  'content-type',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
];
const SIGNING_FIELDS = new Set(['x-amz-signature', 'x-amz-credential', 'x-amz-algorithm', 'x-amz-date']);

/** Objects uploaded by browser forms. */
@Injectable()
export class PostObjectOperations {
  readonly handlers: S3Handlers = { PostObject: (call) => this.post(call) };

  constructor(
    private readonly objects: ObjectService,
    private readonly authenticator: S3Authenticator,
    private readonly authorizer: S3Authorizer,
    private readonly acls: AclRequests,
    private readonly events: S3Events,
    private readonly lifecycle: LifecycleHeaders,
  ) {}

  private async post(call: S3Call): Promise<S3Answer> {
    if (!/^multipart\/form-data\s*(;|$)/i.test(call.headers['content-type'] ?? '')) {
      throw new S3Error('PreconditionFailed', undefined, {
        Condition: 'Bucket POST must be of the enclosure-type multipart/form-data',
      });
    }
    const { stream, expectation } = call.body.open(false);
    try {
      const form = await readMultipartForm(stream as AsyncIterable<Buffer>, call.headers['content-type']);
      const fields = completeFields(form, call.bucket);
      const key = fields.get('key') as string;
      const write = new S3Call(
        call.requestId,
        call.http,
        { ...call.request, resource: 'object', key },
        { ...call.route, actions: ['s3:PutObject'] },
        call.body,
        headersOf(fields),
      );
      write.principal = call.principal;
      await this.authenticator.authenticateForm(write, fields);
      const policy = fields.get('policy');
      const bounds =
        policy === undefined ? undefined : checkPostPolicy(policy, { values: fields, names: form.names }, new Date());
      await this.authorizer.authorize(write);
      return answerOf(write, fields, await this.put(write, form, bounds, expectation.length));
    } finally {
      stream.destroy();
    }
  }

  private async put(
    call: S3Call,
    form: MultipartForm,
    bounds: FileBounds | undefined,
    limit: number,
  ): Promise<{ result: WriteResult; headers: Record<string, string> }> {
    const { headers } = call;
    refuseUnsupportedWriteHeaders(headers);
    const encryption = requestedEncryption(headers);
    const acl = await this.acls.ofHeaders(call);
    const file = Readable.from(bounded(form.file, bounds), { objectMode: false });
    try {
      const result = await this.objects.put({
        bucket: call.bucket,
        key: call.key,
        body: {
          stream: file,
          expectation: { length: limit, lengthIsLimit: true, checksum: sentChecksum(headers, []) },
        },
        metadata: metadataOf(headers, 'form'),
        lock: lockOf(headers),
        encryption,
        authorizeKey: this.authorizer.keyGuard(call),
        conditions: writeConditions(headers),
        tags: tagsOf(headers),
        owner: call.principal.ownerId,
        acl,
      });
      await this.events.publish(call, writeEvent('Post', result));
      const customerKey = encryption?.mode === 'sse-c' ? encryption.customerKey : undefined;
      return {
        result,
        headers: {
          ...writeHeaders(result, this.authorizer, customerKey),
          ...(await this.lifecycle.ofObject(call.bucket, { key: call.key, ...result })),
        },
      };
    } finally {
      file.destroy();
    }
  }
}

/** The fields as policies see them: the bucket added, and the file's name, where it has one, put into the key. */
function completeFields(form: MultipartForm, bucket: string): ReadonlyMap<string, string> {
  const stated = requiredField(form.fields, 'key');
  const { fileName } = form;
  const key = fileName === undefined ? stated : stated.replaceAll('${filename}', () => fileName);
  if (key.includes('\0')) {
    throw invalidArgument('A key cannot hold U+0000.', 'key');
  }
  return new Map([...form.fields, ['key', key], ['bucket', bucket]]);
}

/** The headers that a plain upload would have been sent with. */
function headersOf(fields: ReadonlyMap<string, string>): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = {};
  for (const [name, value] of fields) {
    if (PLAIN_HEADERS.includes(name) || (name.startsWith('x-amz-') && !SIGNING_FIELDS.has(name))) {
      if (value.includes('\0') && !name.startsWith('x-amz-meta-')) {
        throw invalidArgument('A field other than metadata cannot hold U+0000.', name);
      }
      // Header values are the bytes of the wire, one character each.
      headers[name] = Buffer.from(value, 'utf8').toString('latin1');
    }
  }
  const acl = fields.get('acl');
  if (acl !== undefined) {
    headers['x-amz-acl'] = acl;
  }
  const tagging = fields.get('tagging');
  if (tagging !== undefined) {
    headers['x-amz-tagging'] = taggingHeader(tagging);
  }
  return headers;
}

/** Another document than one of tags has none, as S3 takes it. */
function taggingHeader(document: string): string {
  if (document === '') {
    throw new S3Error('MalformedXML');
  }
  const tagging = parseXml(Buffer.from(document));
  const tags = tagging.name === 'Tagging' ? (tagging.child('TagSet')?.all('Tag') ?? []) : [];
  return tags
    .map((tag) => `${encodeURIComponent(tag.required('Key'))}=${encodeURIComponent(tag.required('Value'))}`)
    .join('&');
}

async function* bounded(file: AsyncIterable<Buffer>, bounds: FileBounds | undefined): AsyncGenerator<Buffer> {
  const most = Math.min(bounds?.most ?? MAX_FILE_BYTES, MAX_FILE_BYTES);
  let size = 0;
  for await (const chunk of file) {
    size += chunk.length;
    if (size - most > MAX_COUNTED_EXCESS) {
      throw tooLarge(most);
    }
    if (size <= most) {
      yield chunk;
    }
  }
  if (size > most) {
    throw tooLarge(most, size);
  }
  if (size < (bounds?.least ?? 0)) {
    throw new S3Error('EntityTooSmall', undefined, {
      ProposedSize: String(size),
      MinSizeAllowed: String(bounds?.least),
    });
  }
}

/** @param size bytes of the file, when it was read to its end */
function tooLarge(most: number, size?: number): S3Error {
  const proposed: Record<string, string> = size === undefined ? {} : { ProposedSize: String(size) };
  return new S3Error('EntityTooLarge', undefined, { ...proposed, MaxSizeAllowed: String(most) });
}

function answerOf(
  call: S3Call,
  fields: ReadonlyMap<string, string>,
  { result, headers }: { result: WriteResult; headers: Record<string, string> },
): S3Answer {
  const etag = `"${result.etag}"`;
  const path = call.request.hostBucket ? '' : `/${call.bucket}`;
  const scheme = 'encrypted' in call.http.socket ? 'https' : 'http';
  const location = `${scheme}://${call.http.headers.host ?? ''}${path}/${encodeURIComponent(call.key)}`;
  const all = { ...headers, ETag: etag, Location: location };
  const redirect = redirection(fields.get('success_action_redirect') ?? fields.get('redirect'), call, etag);
  if (redirect !== undefined) {
    return emptyAnswer(303, { ...all, Location: redirect });
  }
  switch (fields.get('success_action_status')) {
    case '200':
      return emptyAnswer(200, all);
    case '201':
      return {
        status: 201,
        headers: { ...all, 'Content-Type': 'application/xml' },
        body: plainXmlDocument(
          'PostResponse',
          textElement('Location', location) +
            textElement('Bucket', call.bucket) +
            textElement('Key', call.key) +
            textElement('ETag', etag),
        ),
      };
    default:
      return emptyAnswer(204, all);
  }
}

/** Where the browser goes next; what is no web address is as if it were not there. */
function redirection(target: string | undefined, call: S3Call, etag: string): string | undefined {
  if (target === undefined || !/^https?:\/\//i.test(target) || !URL.canParse(target)) {
    return undefined;
  }
  const url = new URL(target);
  const added = `bucket=${encodeURIComponent(call.bucket)}&key=${encodeURIComponent(call.key)}&etag=${encodeURIComponent(etag)}`;
  url.search = url.search === '' ? `?${added}` : `${url.search}&${added}`;
  return url.toString();
}
