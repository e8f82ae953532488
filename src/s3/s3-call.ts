import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { ANONYMOUS, type Principal } from '../identity/identity.types';
import type { VerifiedLegacySignature } from '../identity/sigv2/legacy-signature-verifier';
import type { VerifiedForm } from '../identity/sigv4/form-signature';
import type { VerifiedSignature } from '../identity/sigv4/signature-verifier';
import type { RequestBody } from './request-body';
import type { S3Request } from './s3-request';
import type { S3Route } from './s3-routes';

/** One request on its way through the S3 face. */
export class S3Call {
  /** Who asks; anonymous until authenticated. */
  principal: Principal = ANONYMOUS;
  signature: VerifiedSignature | VerifiedLegacySignature | VerifiedForm | undefined;

  constructor(
    readonly requestId: string,
    readonly http: IncomingMessage,
    readonly request: S3Request,
    readonly route: S3Route,
    readonly body: RequestBody,
    /** Of the request, unless a form stands in for them. */
    readonly headers: IncomingMessage['headers'] = http.headers,
  ) {}

  get query(): ReadonlyMap<string, string> {
    return this.request.query;
  }

  get bucket(): string {
    return this.request.bucket;
  }

  get key(): string {
    return this.request.key;
  }

  /** The versionId parameter. */
  get versionId(): string | undefined {
    return this.request.query.get('versionId');
  }
}

/** What an operation answers. */
export interface S3Answer {
  readonly status: number;
  /** Undefined values are left out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** XML text, bytes, or a stream that is consumed or destroyed in every case. */
  readonly body?: string | Buffer | Readable;
  /** Bytes of a streamed body; without it the answer is sent in chunks. Also the length a HEAD answer states. */
  readonly length?: number;
}

export type S3Handler = (call: S3Call) => Promise<S3Answer>;

/** The operations one class serves, by name in the routing table. */
export type S3Handlers = Readonly<Record<string, S3Handler>>;

/** An answer of 200 with an XML document. */
export function xmlAnswer(body: string, headers?: S3Answer['headers']): S3Answer {
  return { status: 200, headers: { 'Content-Type': 'application/xml', ...headers }, body };
}

/** An answer without a body. */
export function emptyAnswer(status: number, headers?: S3Answer['headers']): S3Answer {
  return { status, headers };
}
