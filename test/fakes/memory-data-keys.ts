import { randomBytes } from 'node:crypto';
import { canonicalContextText, type EncryptionContext } from '../../src/common/encryption-context';
import { seal, unseal } from '../../src/common/sealed-box';
import { DataKeys, type GeneratedDataKey, type WrappedDataKey } from '../../src/kms/data-keys';
import { KmsError } from '../../src/kms/kms-error';

/** A KMS in memory: wraps with a random master key, binds the context, and can be told to fail or to wait. */
export class MemoryDataKeys extends DataKeys {
  private readonly master = randomBytes(32);
  /** Calls that reached the KMS. */
  calls = 0;
  failing = false;
  /** Awaited before every answer. */
  gate: Promise<void> = Promise.resolve();

  async generate(keyReference: string | undefined, context: EncryptionContext): Promise<GeneratedDataKey> {
    return this.make(keyReference ?? 'default-key', context);
  }

  async generateForServer(context: EncryptionContext): Promise<GeneratedDataKey> {
    return this.make('server-key', context);
  }

  async unwrap(wrapped: WrappedDataKey, context: EncryptionContext): Promise<Buffer> {
    await this.answer();
    try {
      return unseal(this.master, wrapped.ciphertext, purpose(wrapped.keyId, context));
    } catch (cause) {
      throw new KmsError('kms-invalid-ciphertext', 'The data key does not authenticate', { cause });
    }
  }

  resolve(keyReference: string | undefined): { readonly kms: string; readonly keyId: string } {
    return { kms: 'memory:default', keyId: keyReference ?? 'default-key' };
  }

  private async make(keyId: string, context: EncryptionContext): Promise<GeneratedDataKey> {
    await this.answer();
    const plaintext = randomBytes(32);
    const ciphertext = seal(this.master, plaintext, purpose(keyId, context));
    return { plaintext, wrapped: { kms: 'memory:default', keyId, keyVersion: '1', ciphertext } };
  }

  private async answer(): Promise<void> {
    this.calls += 1;
    await this.gate;
    if (this.failing) {
      throw new KmsError('kms-unavailable', 'The KMS does not answer');
    }
  }
}

function purpose(keyId: string, context: EncryptionContext): string {
  return `${keyId}/${canonicalContextText(context)}`;
}
