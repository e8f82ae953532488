import type { IncomingHttpHeaders } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { EncryptionContext } from '../common/encryption-context';
import { ACCOUNT } from '../identity/account';
import type { AccessRequest } from '../identity/identity.types';
import { timestampMillis } from '../identity/sigv4/signature-parameters';
import { headerOf } from './headers/header-values';
import type { S3Call } from './s3-call';

/** Condition keys and their values, as the evaluator of policies takes them. */
export type Conditions = AccessRequest['conditions'];

/** Headers of a write that policies may judge and that hold for all parts of an upload begun with them. */
const WRITE_KEYS: Readonly<Record<string, string>> = {
  's3:x-amz-acl': 'x-amz-acl',
  's3:x-amz-grant-full-control': 'x-amz-grant-full-control',
  's3:x-amz-grant-read': 'x-amz-grant-read',
  's3:x-amz-grant-read-acp': 'x-amz-grant-read-acp',
  's3:x-amz-grant-write': 'x-amz-grant-write',
  's3:x-amz-grant-write-acp': 'x-amz-grant-write-acp',
  's3:x-amz-server-side-encryption': 'x-amz-server-side-encryption',
  's3:x-amz-server-side-encryption-aws-kms-key-id': 'x-amz-server-side-encryption-aws-kms-key-id',
  's3:x-amz-server-side-encryption-customer-algorithm': 'x-amz-server-side-encryption-customer-algorithm',
  's3:x-amz-storage-class': 'x-amz-storage-class',
  's3:x-amz-website-redirect-location': 'x-amz-website-redirect-location',
};

/** Headers that policies may judge, by the condition key that names them. */
const HEADER_KEYS: Readonly<Record<string, string>> = {
  ...WRITE_KEYS,
  's3:x-amz-object-ownership': 'x-amz-object-ownership',
  's3:x-amz-content-sha256': 'x-amz-content-sha256',
  's3:x-amz-copy-source': 'x-amz-copy-source',
  's3:x-amz-metadata-directive': 'x-amz-metadata-directive',
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

const TAGGING = 'x-amz-tagging';
const LOCK_MODE = 'x-amz-object-lock-mode';
const LOCK_UNTIL = 'x-amz-object-lock-retain-until-date';
const LEGAL_HOLD = 'x-amz-object-lock-legal-hold';
const KEPT_HEADERS: readonly string[] = [...Object.values(WRITE_KEYS), TAGGING, LOCK_MODE, LOCK_UNTIL, LEGAL_HOLD];

/** Operations on the way to an object, as opposed to those that make one. */
const STEPS: ReadonlySet<string> = new Set(['CreateMultipartUpload', 'UploadPart', 'UploadPartCopy']);
const DAY_MILLIS = 24 * 60 * 60 * 1000;

/** The headers of the beginning of an upload that policies may judge its parts by; undefined when there are none. */
export function keptHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> | undefined {
  const kept = KEPT_HEADERS.flatMap((name) => {
    const value = headerOf(headers, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/**
 * What policies may judge a call by: the request's own headers and parameters, never what the bucket adds to them.
 * @param kept headers that the call goes without because the upload was begun with them
 */
export function conditionsOf(
  call: S3Call,
  versionId = call.versionId,
  kept: Readonly<Record<string, string>> = {},
): Conditions {
  const header = (name: string): string | undefined => headerOf(call.headers, name) ?? kept[name];
  const conditions: Record<string, string | readonly string[] | undefined> = {
    'aws:SourceIp': sourceAddress(call),
    's3:VersionId': versionId,
    's3:ResourceAccount': ACCOUNT,
    'aws:ResourceAccount': ACCOUNT,
    ...transportConditions(call),
    ...signatureConditions(call),
    ...tagConditions([...new URLSearchParams(header(TAGGING) ?? '')]),
    ...lockConditions({ mode: header(LOCK_MODE), until: header(LOCK_UNTIL), legalHold: header(LEGAL_HOLD) }),
  };
  for (const key in HEADER_KEYS) {
    conditions[key] = header(HEADER_KEYS[key] as string);
  }
  for (const key in QUERY_KEYS) {
    conditions[key] = call.query.get(QUERY_KEYS[key] as string);
  }
  if (call.route.actions.includes('s3:PutObject')) {
    conditions['s3:ObjectCreationOperation'] = String(!STEPS.has(call.route.operation));
  }
  return conditions;
}

/** The condition keys of tags that a request gives to an object. */
export function tagConditions(tags: readonly (readonly [key: string, value: string])[]): Conditions {
  return tags.length === 0
    ? {}
    : {
        ...Object.fromEntries(tags.map(([key, value]) => [`s3:RequestObjectTag/${key}`, value])),
        's3:RequestObjectTagKeys': tags.map(([key]) => key),
      };
}

/** The condition keys of a lock that a request sets, in the words of the request. Days that have begun count whole. */
export function lockConditions(lock: {
  readonly mode?: string;
  readonly until?: string;
  readonly legalHold?: string;
}): Conditions {
  const remaining = (Date.parse(lock.until ?? '') - Date.now()) / DAY_MILLIS;
  return {
    's3:object-lock-mode': lock.mode,
    's3:object-lock-retain-until-date': lock.until,
    's3:object-lock-remaining-retention-days': Number.isNaN(remaining) ? undefined : String(Math.ceil(remaining)),
    's3:object-lock-legal-hold': lock.legalHold,
  };
}

/** The condition keys of tags that an object has. */
export function existingTagConditions(tags: Readonly<Record<string, string>>): Conditions {
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [`s3:ExistingObjectTag/${key}`, value]));
}

/** The condition keys of an encryption context, as policies on KMS actions ask for them. */
export function contextConditions(context: EncryptionContext | undefined): Conditions {
  if (context === undefined) {
    return {};
  }
  const entries = Object.entries(context).map(([key, value]) => [`kms:EncryptionContext:${key}`, value] as const);
  return { ...Object.fromEntries(entries), 'kms:EncryptionContextKeys': Object.keys(context) };
}

function transportConditions(call: S3Call): Conditions {
  const socket = call.http.socket as Partial<TLSSocket>;
  const encrypted = socket.encrypted === true;
  return {
    'aws:SecureTransport': String(encrypted),
    's3:TlsVersion': encrypted ? socket.getProtocol?.()?.replace(/^TLSv/, '') : undefined,
  };
}

function signatureConditions({ signature }: S3Call): Conditions {
  if (signature === undefined) {
    return {};
  }
  const header = signature.presigned ? 'REST-QUERY-STRING' : 'REST-HEADER';
  return {
    's3:authType': 'form' in signature ? 'POST' : header,
    's3:signatureversion': signature.version === 2 ? 'AWS' : 'AWS4-HMAC-SHA256',
    's3:signatureAge':
      'timestamp' in signature ? String(Math.max(0, Date.now() - timestampMillis(signature.timestamp))) : undefined,
  };
}

/** The peer's address; an IPv4 address that arrived on an IPv6 socket is written as IPv4, as policies write it. */
function sourceAddress(call: S3Call): string | undefined {
  return call.http.socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
}
