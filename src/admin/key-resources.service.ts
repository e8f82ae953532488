import { Injectable } from '@nestjs/common';
import { DataKeys } from '../kms/data-keys';
import { KmsError } from '../kms/kms-error';

const PREFIX = 'arn:aws:kms:::key/';

/** The resource of what touches every key. */
export const ANY_KEY = `${PREFIX}*`;

/**
 * Names KMS keys as policies do: `arn:aws:kms:::key/<id>` in the default KMS, `arn:aws:kms:::key/<type>:<target>/<id>` in
 * any other, so that equal ids in two of them stay apart. The S3 face uses the same names.
 */
@Injectable()
export class KeyResources {
  constructor(private readonly keys: DataKeys) {}

  /** @param reference as a client sends it; undefined for the default key */
  ofReference(reference: string | undefined): string {
    try {
      const { kms, keyId } = this.keys.resolve(reference);
      return this.ofKey(kms, keyId);
    } catch (error) {
      if (!(error instanceof KmsError)) {
        throw error;
      }
      // Whether a KMS is configured is nothing to tell before permission is given; the handler will say it.
      return `${PREFIX}${reference ?? ''}`;
    }
  }

  ofKey(kms: string, keyId: string): string {
    return `${PREFIX}${kms === this.defaultKms() ? keyId : `${kms}/${keyId}`}`;
  }

  private defaultKms(): string | undefined {
    try {
      return this.keys.resolve(undefined).kms;
    } catch (error) {
      if (!(error instanceof KmsError)) {
        throw error;
      }
      return undefined;
    }
  }
}
