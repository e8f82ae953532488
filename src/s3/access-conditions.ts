import type { TLSSocket } from 'node:tls';
import type { EncryptionContext } from '../common/encryption-context';
import type { AccessRequest } from '../identity/identity.types';
import { timestampMillis } from '../identity/sigv4/signature-parameters';
import { headerOf } from './headers/header-values';
import type { S3Call } from './s3-call';

/** Headers that policies may judge, by the condition key that names them. */
const HEADER_KEYS: Readonly<Record<string, string>> = {
  's3:x-amz-acl': 'x-amz-acl',
  's3:x-amz-grant-full-control': 'x-amz-grant-full-control',
  's3:x-amz-grant-read': 'x-amz-grant-read',
  's3:x-amz-grant-read-acp': 'x-amz-grant-read-acp',
  's3:x-amz-grant-write': 'x-amz-grant-write',
  's3:x-amz-grant-write-acp': 'x-amz-grant-write-acp',
  's3:x-amz-object-ownership': 'x-amz-object-ownership',
  's3:x-amz-content-sha256': 'x-amz-content-sha256',
  's3:x-amz-copy-source': 'x-amz-copy-source',
  's3:x-amz-metadata-directive': 'x-amz-metadata-directive',
  's3:x-amz-server-side-encryption': 'x-amz-server-side-encryption',
  's3:x-amz-server-side-encryption-aws-kms-key-id': 'x-amz-server-side-encryption-aws-kms-key-id',
  's3:x-amz-server-side-encryption-customer-algorithm': 'x-amz-server-side-encryption-customer-algorithm',
  's3:x-amz-storage-class': 'x-amz-storage-class',
  's3:x-amz-website-redirect-location': 'x-amz-website-redirect-location',
  's3:if-match': 'if-match',
  's3:if-none-match': 'if-none-match',
  'aws:UserAgent': 'user-agent',
  'aws:Referer': 'referer',
};

const QUERY_KEYS: Readonly<Record<string, string>> = {
  's3:prefix': 'prefix',
  's3:delimiter': 'delimiter',
  's3:max-keys': 'max-keys',
};

/** What policies may judge a call by: the request's own headers and parameters, never what the bucket adds to them. */
export function conditionsOf(call: S3Call, versionId = call.versionId): AccessRequest['conditions'] {
  const conditions: Record<string, string | undefined> = {
    'aws:SourceIp': sourceAddress(call),
    'aws:SecureTransport': String((call.http.socket as Partial<TLSSocket>).encrypted === true),
    's3:VersionId': versionId,
  };
  for (const key in HEADER_KEYS) {
    conditions[key] = headerOf(call.headers, HEADER_KEYS[key] as string);
  }
  for (const key in QUERY_KEYS) {
    conditions[key] = call.query.get(QUERY_KEYS[key] as string);
  }
  for (const [key, value] of requestTags(call)) {
    conditions[`s3:RequestObjectTag/${key}`] = value;
  }
  if (call.signature !== undefined) {
    const { signature } = call;
    const header = signature.presigned ? 'REST-QUERY-STRING' : 'REST-HEADER';
    conditions['s3:authType'] = 'form' in signature ? 'POST' : header;
    conditions['s3:signatureversion'] = signature.version === 2 ? 'AWS' : 'AWS4-HMAC-SHA256';
    if ('timestamp' in signature) {
      conditions['s3:signatureAge'] = String(Math.max(0, Date.now() - timestampMillis(signature.timestamp)));
    }
  }
  return conditions;
}

/** The condition keys of tags that an object has. */
export function existingTagConditions(tags: Readonly<Record<string, string>>): AccessRequest['conditions'] {
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [`s3:ExistingObjectTag/${key}`, value]));
}

/** The condition keys of an encryption context, as policies on KMS actions ask for them. */
export function contextConditions(context: EncryptionContext | undefined): AccessRequest['conditions'] {
  if (context === undefined) {
    return {};
  }
  const entries = Object.entries(context).map(([key, value]) => [`kms:EncryptionContext:${key}`, value] as const);
  return { ...Object.fromEntries(entries), 'kms:EncryptionContextKeys': Object.keys(context) };
}

function requestTags(call: S3Call): URLSearchParams {
  return new URLSearchParams(headerOf(call.headers, 'x-amz-tagging') ?? '');
}

/** The peer's address; an IPv4 address that arrived on an IPv6 socket is written as IPv4, as policies write it. */
function sourceAddress(call: S3Call): string | undefined {
  return call.http.socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
}
