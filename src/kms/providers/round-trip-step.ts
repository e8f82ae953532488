import { timingSafeEqual } from 'node:crypto';
import { KmsError } from '../kms-error';
import type { KmsProvider } from '../kms-provider';
import { StepFailure, type StepFinding } from '../step-recorder';

const PURPOSE = 'strongroom-connection-test';

/** What a round trip is made with. */
export interface RoundTripSubject {
  /** `<type>:<target>`, for messages */
  readonly kms: string;
  readonly provider: KmsProvider;
  readonly keyId: string;
  readonly signal: AbortSignal;
}

/**
 * Has a data key made, unwrapped and compared, and tries to unwrap it under another encryption context.
 *
 * @param bindingRemedy what to do when the other context is accepted
 * @throws StepFailure, KmsError
 */
export async function proveRoundTrip(subject: RoundTripSubject, bindingRemedy: string): Promise<StepFinding> {
  const { kms, provider, keyId, signal } = subject;
  const context = { purpose: PURPOSE };
  const { plaintext, ciphertext, keyVersion } = await provider.generateDataKey(keyId, context, { signal });
  try {
    const opened = await provider.decryptDataKey(keyId, ciphertext, context, keyVersion, { signal });
    const same = timingSafeEqual(plaintext, opened);
    opened.fill(0);
    if (!same) {
      throw new StepFailure(
        `${kms} unwrapped another data key than it had wrapped`,
        'Do not use this KMS; look for a faulty proxy or plugin.',
      );
    }
    await refuseOtherContext(subject, ciphertext, keyVersion, bindingRemedy);
    return 'A data key was made, unwrapped and compared; another encryption context is refused';
  } finally {
    plaintext.fill(0);
  }
}

async function refuseOtherContext(
  { kms, provider, keyId, signal }: RoundTripSubject,
  ciphertext: Buffer,
  keyVersion: string | undefined,
  remedy: string,
): Promise<void> {
  const other = { purpose: PURPOSE, other: 'context' };
  try {
    (await provider.decryptDataKey(keyId, ciphertext, other, keyVersion, { signal })).fill(0);
  } catch (error) {
    if (error instanceof KmsError && error.kind === 'kms-invalid-ciphertext') {
      return;
    }
    throw error;
  }
  throw new StepFailure(`${kms} does not bind the encryption context`, remedy);
}
