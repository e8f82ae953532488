import { Injectable } from '@nestjs/common';
import type { DeleteEntry, DeleteFailure, DeleteResult } from '../../object-storage/object-storage.types';
import { ObjectLockService } from '../../object-storage/object-lock.service';
import { ObjectService } from '../../object-storage/object.service';
import { unquoted, writeConditions } from '../headers/condition-headers';
import { bypassOutOfPlace, mentionsBypass, wantsBypass } from '../headers/lock-headers';
import { S3Authorizer } from '../s3-authorizer';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { s3ErrorAnswer, S3Error } from '../s3-error';
import { S3_ERROR_CODES } from '../s3-error-codes';
import { S3Events } from '../s3-events';
import { parseXml, type XmlElement } from '../xml';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;
const MAX_ENTRIES = 1000;

/** Conditions that S3 knows for directory buckets alone; to pass over them would delete what was to stay. */
const DIRECTORY_CONDITIONS = ['x-amz-if-match-last-modified-time', 'x-amz-if-match-size'];
const DIRECTORY_ELEMENTS = ['LastModifiedTime', 'Size'];

/** Objects deleted, one by one or a thousand at a time. */
@Injectable()
export class DeleteOperations {
  readonly handlers: S3Handlers = {
    DeleteObject: (call) => this.delete(call),
    DeleteObjects: (call) => this.deleteMany(call),
  };

  constructor(
    private readonly objects: ObjectService,
    private readonly locks: ObjectLockService,
    private readonly authorizer: S3Authorizer,
    private readonly events: S3Events,
  ) {}

  private async delete(call: S3Call): Promise<S3Answer> {
    if (DIRECTORY_CONDITIONS.some((name) => call.headers[name] !== undefined)) {
      throw unsupportedCondition();
    }
    if (mentionsBypass(call.headers) && (await this.locks.ofBucket(call.bucket)) === undefined) {
      throw bypassOutOfPlace();
    }
    const entry = { key: call.key, versionId: call.versionId };
    const result = await this.objects.delete(
      call.bucket,
      entry,
      writeConditions(call.headers),
      await this.bypasses(call, call.key),
    );
    await this.events.publishDeletions(call, [result]);
    return emptyAnswer(204, {
      'x-amz-delete-marker': result.deleteMarker === true ? 'true' : undefined,
      'x-amz-version-id': result.deleteMarkerVersionId ?? result.versionId,
    });
  }

  private async deleteMany(call: S3Call): Promise<S3Answer> {
    const document = parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'Delete');
    if (document.all('Object').some((object) => DIRECTORY_ELEMENTS.some((name) => object.child(name) !== undefined))) {
      throw unsupportedCondition();
    }
    const entries: DeleteEntry[] = document.all('Object').map((object) => ({
      key: object.required('Key'),
      versionId: object.textOf('VersionId') || undefined,
      ifMatch: etagOf(object),
    }));
    if (entries.length === 0 || entries.length > MAX_ENTRIES || entries.some(({ key }) => key === '')) {
      throw new S3Error('MalformedXML');
    }
    const quiet = document.textOf('Quiet') === 'true';
    const { allowed, denied } = await this.split(call, entries);
    const { deleted, failed } =
      allowed.length === 0
        ? { deleted: [], failed: [] }
        : await this.objects.deleteMany(call.bucket, allowed, await this.bypasses(call, '*'));
    await this.events.publishDeletions(call, deleted);
    const results = quiet ? '' : deleted.map(deletedXml).join('');
    return xmlAnswer(xmlDocument('DeleteResult', results + [...denied, ...failed].map(failedXml).join('')));
  }

  /**
   * Without the permission the header counts for nothing. Batches may carry it for any bucket, as tools do that empty
   * buckets without asking first whether these have object lock.
   */
  private async bypasses(call: S3Call, key: string): Promise<boolean> {
    return wantsBypass(call.headers) && this.authorizer.allows(call, 's3:BypassGovernanceRetention', call.bucket, key);
  }

  private async split(
    call: S3Call,
    entries: readonly DeleteEntry[],
  ): Promise<{ allowed: readonly DeleteEntry[]; denied: readonly DeleteFailure[] }> {
    if (await this.authorizer.isUnlimited(call, call.bucket)) {
      return { allowed: entries, denied: [] };
    }
    const allowed: DeleteEntry[] = [];
    const denied: DeleteFailure[] = [];
    for (const entry of entries) {
      if (await this.authorizer.allows(call, 's3:DeleteObject', call.bucket, entry.key, entry.versionId)) {
        allowed.push(entry);
      } else {
        denied.push({ ...entry, error: new S3Error('AccessDenied') });
      }
    }
    return { allowed, denied };
  }
}

function etagOf(object: XmlElement): string | undefined {
  const etag = object.textOf('ETag');
  return etag === undefined || etag === '' ? undefined : unquoted(etag);
}

function unsupportedCondition(): S3Error {
  return new S3Error('NotImplemented', 'Deleting by size or time of last change is not implemented.');
}

function deletedXml(result: DeleteResult): string {
  return element(
    'Deleted',
    textElement('Key', result.key) +
      textElement('VersionId', result.versionId) +
      textElement('DeleteMarker', result.deleteMarker === true ? true : undefined) +
      textElement('DeleteMarkerVersionId', result.deleteMarkerVersionId),
  );
}

/** In a batch AWS does not tell a version id that cannot be from one that is not there. */
function failureOf({ error, versionId }: DeleteFailure): { readonly code: string; readonly message: string } {
  const answer = s3ErrorAnswer(error);
  return answer.code === 'InvalidArgument' && versionId !== undefined
    ? { code: 'NoSuchVersion', message: S3_ERROR_CODES.NoSuchVersion[1] }
    : answer;
}

function failedXml(failure: DeleteFailure): string {
  const { code, message } = failureOf(failure);
  return element(
    'Error',
    textElement('Key', failure.key) +
      textElement('VersionId', failure.versionId) +
      textElement('Code', code) +
      textElement('Message', message),
  );
}
