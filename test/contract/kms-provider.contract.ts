import { randomUUID } from 'node:crypto';
import type { EncryptionContext } from '../../src/common/encryption-context';
import type { KmsErrorKind } from '../../src/kms/kms-error';
import type { CallOptions, KmsCapabilities, KmsProvider } from '../../src/kms/kms-provider';

/** A provider under test with a service behind it. */
export interface ContractSubject {
  readonly provider: KmsProvider;
  /** False where the keys it makes do not let the KMS rewrap by itself, although others do. */
  readonly rewraps?: boolean;
  /** Undoes what the suite made. */
  dispose(): Promise<void>;
}

const CONTEXT = { bucket: 'bucket/key', 'client <entry>': 'ü & ý' };

function options(): CallOptions {
  return { signal: AbortSignal.timeout(10_000) };
}

function failure(kind: KmsErrorKind): unknown {
  return expect.objectContaining({ name: 'KmsError', kind });
}

/**
 * What every KMS provider promises. The pinned capabilities are part of the promise: announcing more or less than written
 * in the spec file fails, and so does an optional method that does not match them.
 *
 * @param gaps parts of the names of tests that the emulator behind a provider cannot pass; they are skipped by name
 */
export function describeKmsProvider(
  name: string,
  pinned: KmsCapabilities,
  start: () => Promise<ContractSubject>,
  gaps: readonly string[] = [],
): void {
  const test = (title: string, work: () => Promise<void>): void => {
    if (gaps.some((gap) => title.includes(gap))) {
      it.skip(`NOT RUN, the emulator cannot: ${title}`, work);
    } else {
      it(title, work);
    }
  };

  describe(`KMS provider contract: ${name}`, () => {
    let subject: ContractSubject;
    let provider: KmsProvider;

    beforeAll(async () => {
      subject = await start();
      provider = subject.provider;
      await provider.init?.();
    });

    afterAll(async () => {
      await provider.destroy();
      await subject.dispose();
    });

    async function newKey(): Promise<string> {
      const keyId = `contract-${randomUUID()}`;
      await provider.createKey?.(keyId, options());
      return keyId;
    }

    test('announces the pinned capabilities and has the methods that go with them', async () => {
      expect(provider.capabilities).toEqual(pinned);
      expect({
        createKey: provider.createKey !== undefined,
        importKey: provider.importKey !== undefined,
        listKeys: provider.listKeys !== undefined,
        rotateKey: provider.rotateKey !== undefined,
        enableDisable: provider.setKeyEnabled !== undefined,
        scheduleDeletion: provider.scheduleKeyDeletion !== undefined && provider.cancelKeyDeletion !== undefined,
        deleteKey: provider.deleteKey !== undefined,
        rewrap: provider.rewrapDataKeys !== undefined && provider.canRewrap !== undefined,
      }).toEqual({
        createKey: pinned.createKey,
        importKey: pinned.importKey,
        listKeys: pinned.listKeys,
        rotateKey: pinned.rotateKey,
        enableDisable: pinned.enableDisable,
        scheduleDeletion: pinned.scheduleDeletion,
        deleteKey: pinned.deleteKey,
        rewrap: pinned.rewrap,
      });
    });

    test('answers a probe', async () => {
      await expect(provider.probe(options())).resolves.toBeUndefined();
    });

    test('passes its own connection test, every step timed', async () => {
      const report = await provider.testConnection(options());
      expect(report.steps.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
      expect(report.ok).toBe(true);
      expect(report.steps.every(({ milliseconds }) => Number.isInteger(milliseconds) && milliseconds >= 0)).toBe(true);
    });

    test('makes data keys of 32 bytes that are never the same and unwrap to themselves', async () => {
      const keyId = await newKey();
      const first = await provider.generateDataKey(keyId, CONTEXT, options());
      const second = await provider.generateDataKey(keyId, CONTEXT, options());
      expect(first.plaintext).toHaveLength(32);
      expect(first.plaintext).not.toEqual(second.plaintext);
      expect(first.ciphertext).not.toEqual(second.ciphertext);
      expect(first.ciphertext.includes(first.plaintext)).toBe(false);
      for (const { plaintext, ciphertext, keyVersion } of [first, second]) {
        expect(await provider.decryptDataKey(keyId, ciphertext, CONTEXT, keyVersion, options())).toEqual(plaintext);
      }
    });

    test('binds an empty context as well', async () => {
      const keyId = await newKey();
      const { plaintext, ciphertext } = await provider.generateDataKey(keyId, {}, options());
      expect(await provider.decryptDataKey(keyId, ciphertext, {}, undefined, options())).toEqual(plaintext);
      await expect(provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, options())).rejects.toEqual(
        failure('kms-invalid-ciphertext'),
      );
    });

    it.each([
      ['another value', { ...CONTEXT, bucket: 'bucket/other' }],
      ['a missing entry', { bucket: 'bucket/key' }],
      ['a further entry', { ...CONTEXT, more: '1' }],
      ['no entry', {}],
    ])('refuses a context with %s', async (_what, context) => {
      const keyId = await newKey();
      const { ciphertext, keyVersion } = await provider.generateDataKey(keyId, CONTEXT, options());
      await expect(provider.decryptDataKey(keyId, ciphertext, context, keyVersion, options())).rejects.toEqual(
        failure('kms-invalid-ciphertext'),
      );
    });

    test('does not care for the order of context entries', async () => {
      const keyId = await newKey();
      const { plaintext, ciphertext } = await provider.generateDataKey(keyId, { a: '1', b: '2' }, options());
      expect(await provider.decryptDataKey(keyId, ciphertext, { b: '2', a: '1' }, undefined, options())).toEqual(
        plaintext,
      );
    });

    test('refuses an altered, cut or foreign ciphertext', async () => {
      const keyId = await newKey();
      const { ciphertext } = await provider.generateDataKey(keyId, CONTEXT, options());
      const altered = Buffer.from(ciphertext);
      const middle = Math.floor(altered.length * 0.6);
      altered[middle] = altered[middle] === 0x41 ? 0x42 : 0x41;
      for (const bad of [
        altered,
        ciphertext.subarray(0, ciphertext.length - 20),
        Buffer.from('nonsense'),
        Buffer.alloc(0),
      ]) {
        await expect(provider.decryptDataKey(keyId, bad, CONTEXT, undefined, options())).rejects.toEqual(
          failure('kms-invalid-ciphertext'),
        );
      }
    });

    test('refuses a ciphertext of another key', async () => {
      const [one, other] = [await newKey(), await newKey()];
      const { ciphertext } = await provider.generateDataKey(one, CONTEXT, options());
      await expect(provider.decryptDataKey(other, ciphertext, CONTEXT, undefined, options())).rejects.toEqual(
        failure('kms-invalid-ciphertext'),
      );
    });

    test('knows no key that nobody made, and makes none by being asked', async () => {
      const keyId = `missing-${randomUUID()}`;
      const notFound = failure('kms-key-not-found');
      const known = await newKey();
      const { ciphertext } = await provider.generateDataKey(known, CONTEXT, options());
      await expect(provider.generateDataKey(keyId, CONTEXT, options())).rejects.toEqual(notFound);
      await expect(provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, options())).rejects.toEqual(notFound);
      await expect(provider.describeKey(keyId, options())).rejects.toEqual(notFound);
      await expect(provider.generateDataKey('../sys/health', CONTEXT, options())).rejects.toEqual(notFound);
    });

    test('describes an enabled key', async () => {
      const keyId = await newKey();
      expect(await provider.describeKey(keyId, options())).toMatchObject({
        keyId,
        state: 'enabled',
        ...(pinned.keyVersions ? { latestVersion: expect.any(String) } : {}),
      });
    });

    if (pinned.createKey) {
      test('does not create a key twice', async () => {
        const keyId = await newKey();
        const { plaintext, ciphertext } = await provider.generateDataKey(keyId, CONTEXT, options());
        await expect(provider.createKey?.(keyId, options())).rejects.toEqual(failure('kms-key-exists'));
        expect(await provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, options())).toEqual(plaintext);
      });
    }

    if (pinned.listKeys) {
      test('lists keys by pattern, page by page', async () => {
        const prefix = `page-${randomUUID()}`;
        const ids = ['a', 'b', 'c'].map((suffix) => `${prefix}-${suffix}`);
        for (const keyId of ids) {
          await provider.createKey?.(keyId, options());
        }
        const first = await provider.listKeys?.(`${prefix}*`, undefined, 2, options());
        expect(first?.keys.map(({ keyId }) => keyId)).toEqual(ids.slice(0, 2));
        const second = await provider.listKeys?.(`${prefix}*`, first?.nextMarker, 2, options());
        expect(second?.keys.map(({ keyId }) => keyId)).toEqual(ids.slice(2));
        expect(second?.nextMarker).toBeUndefined();
      });
    }

    if (pinned.rotateKey) {
      test('unwraps after a rotation what was wrapped before it', async () => {
        const keyId = await newKey();
        const before = await provider.generateDataKey(keyId, CONTEXT, options());
        const rotated = await provider.rotateKey?.(keyId, options());
        const after = await provider.generateDataKey(keyId, CONTEXT, options());
        if (pinned.keyVersions) {
          expect(rotated?.latestVersion).toBe(after.keyVersion);
          expect(before.keyVersion).toEqual(expect.any(String));
          expect(before.keyVersion).not.toBe(after.keyVersion);
        }
        for (const { plaintext, ciphertext, keyVersion } of [before, after]) {
          expect(await provider.decryptDataKey(keyId, ciphertext, CONTEXT, keyVersion, options())).toEqual(plaintext);
        }
      });

      test('does not rotate a key that is not there', async () => {
        await expect(provider.rotateKey?.(`missing-${randomUUID()}`, options())).rejects.toEqual(
          failure('kms-key-not-found'),
        );
      });
    }

    test('treats several data keys in one call as it does one, and refuses them all for one that is wrong', async () => {
      const { generateDataKeys, decryptDataKeys } = provider;
      expect(generateDataKeys === undefined).toBe(decryptDataKeys === undefined);
      expect(provider.batchSize ?? 1).toBeGreaterThan(generateDataKeys === undefined ? 0 : 1);
      if (generateDataKeys === undefined || decryptDataKeys === undefined) {
        return;
      }
      const keyId = await newKey();
      const contexts: EncryptionContext[] = [CONTEXT, { bucket: 'bucket/other' }, {}];
      const made = await generateDataKeys.call(provider, keyId, contexts, options());
      const bound = made.map(({ ciphertext, keyVersion }, index) => ({
        ciphertext,
        keyVersion,
        context: contexts[index] ?? {},
      }));
      const plaintexts = made.map(({ plaintext }) => plaintext);
      expect(new Set(plaintexts.map((plaintext) => plaintext.toString('hex'))).size).toBe(contexts.length);
      expect(await decryptDataKeys.call(provider, keyId, bound, options())).toEqual(plaintexts);
      for (const [index, { ciphertext, keyVersion, context }] of bound.entries()) {
        expect(await provider.decryptDataKey(keyId, ciphertext, context, keyVersion, options())).toEqual(
          plaintexts[index],
        );
      }
      const moved = [bound[0]!, { ...bound[1]!, context: CONTEXT }];
      await expect(decryptDataKeys.call(provider, keyId, moved, options())).rejects.toEqual(
        failure('kms-invalid-ciphertext'),
      );
    });

    if (pinned.rewrap) {
      test('wraps data keys anew under the newest version of their key, each bound as before', async () => {
        const keyId = await newKey();
        const rewraps = subject.rewraps ?? true;
        expect(await provider.canRewrap?.(keyId, keyId, options())).toBe(rewraps);
        if (!rewraps) {
          return;
        }
        const contexts: EncryptionContext[] = [CONTEXT, { bucket: 'bucket/other' }];
        const made = await Promise.all(contexts.map((context) => provider.generateDataKey(keyId, context, options())));
        const bound = made.map(({ plaintext: _, ...wrapped }, index) => ({ ...wrapped, context: contexts[index]! }));
        const { latestVersion } = (await provider.rotateKey?.(keyId, options())) ?? {};
        const rewrapped = (await provider.rewrapDataKeys?.(keyId, keyId, bound, options())) ?? [];
        expect(rewrapped).toHaveLength(contexts.length);
        for (const [index, { ciphertext, keyVersion }] of rewrapped.entries()) {
          expect(keyVersion).toBe(latestVersion);
          expect(ciphertext).not.toEqual(made[index]!.ciphertext);
          const open = (context: EncryptionContext) =>
            provider.decryptDataKey(keyId, ciphertext, context, keyVersion, options());
          expect(await open(contexts[index]!)).toEqual(made[index]!.plaintext);
          await expect(open(contexts[1 - index]!)).rejects.toEqual(failure('kms-invalid-ciphertext'));
        }
        const moved = [{ ...bound[0]!, context: contexts[1]! }];
        await expect(provider.rewrapDataKeys?.(keyId, keyId, moved, options())).rejects.toEqual(
          failure('kms-invalid-ciphertext'),
        );
      });
    }

    test('serves concurrent callers each their own key', async () => {
      const keyId = await newKey();
      const generated = await Promise.all(
        Array.from({ length: 24 }, () => provider.generateDataKey(keyId, CONTEXT, options())),
      );
      expect(new Set(generated.map(({ plaintext }) => plaintext.toString('hex'))).size).toBe(24);
      const opened = await Promise.all(
        generated.map(({ ciphertext }) => provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, options())),
      );
      expect(opened).toEqual(generated.map(({ plaintext }) => plaintext));
    });

    if (pinned.importKey) {
      test('imports key material of 32 bytes and nothing else', async () => {
        const keyId = `import-${randomUUID()}`;
        await expect(provider.importKey?.(keyId, Buffer.alloc(16), options())).rejects.toEqual(
          failure('kms-invalid-request'),
        );
        await provider.importKey?.(keyId, Buffer.alloc(32, 7), options());
        const { plaintext, ciphertext } = await provider.generateDataKey(keyId, CONTEXT, options());
        expect(await provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, options())).toEqual(plaintext);
        await expect(provider.importKey?.(keyId, Buffer.alloc(32, 8), options())).rejects.toEqual(
          failure('kms-key-exists'),
        );
      });
    }

    if (pinned.enableDisable) {
      test('neither wraps nor unwraps with a disabled key, and does both again when it is enabled', async () => {
        const keyId = await newKey();
        const { plaintext, ciphertext } = await provider.generateDataKey(keyId, CONTEXT, options());
        expect(await provider.setKeyEnabled?.(keyId, false, options())).toMatchObject({ state: 'disabled' });
        const disabled = failure('kms-key-disabled');
        await expect(provider.generateDataKey(keyId, CONTEXT, options())).rejects.toEqual(disabled);
        await expect(provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, options())).rejects.toEqual(
          disabled,
        );
        if (pinned.rotateKey) {
          await expect(provider.rotateKey?.(keyId, options())).rejects.toEqual(disabled);
        }
        await provider.setKeyEnabled?.(keyId, true, options());
        expect(await provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, options())).toEqual(plaintext);
      });
    }

    if (pinned.deleteKey) {
      test('deletes a key with all its versions, and has none when it is made again', async () => {
        const [keyId, other] = [await newKey(), await newKey()];
        const kept = await provider.generateDataKey(other, CONTEXT, options());
        const before = await provider.generateDataKey(keyId, CONTEXT, options());
        await provider.rotateKey?.(keyId, options());
        const after = await provider.generateDataKey(keyId, CONTEXT, options());
        await provider.deleteKey?.(keyId, options());
        await expect(provider.deleteKey?.(keyId, options())).resolves.toBeUndefined();
        const gone = failure('kms-key-not-found');
        await expect(provider.describeKey(keyId, options())).rejects.toEqual(gone);
        await expect(provider.generateDataKey(keyId, CONTEXT, options())).rejects.toEqual(gone);
        await expect(provider.decryptDataKey(keyId, after.ciphertext, CONTEXT, undefined, options())).rejects.toEqual(
          gone,
        );
        expect((await provider.listKeys?.(keyId, undefined, 10, options()))?.keys ?? []).toEqual([]);
        await provider.createKey?.(keyId, options());
        for (const { ciphertext, keyVersion } of [before, after]) {
          await expect(provider.decryptDataKey(keyId, ciphertext, CONTEXT, keyVersion, options())).rejects.toEqual(
            failure('kms-invalid-ciphertext'),
          );
        }
        expect(await provider.decryptDataKey(other, kept.ciphertext, CONTEXT, kept.keyVersion, options())).toEqual(
          kept.plaintext,
        );
      });
    }

    if (pinned.scheduleDeletion) {
      test('refuses a key that waits for its deletion, and returns it disabled when that is cancelled', async () => {
        const keyId = await newKey();
        const { plaintext, ciphertext } = await provider.generateDataKey(keyId, CONTEXT, options());
        await expect(provider.scheduleKeyDeletion?.(keyId, 6, options())).rejects.toEqual(
          failure('kms-invalid-request'),
        );
        const pending = await provider.scheduleKeyDeletion?.(keyId, 7, options());
        expect(pending).toMatchObject({ state: 'pending-deletion', deletionDate: expect.any(Date) });
        const refused = failure('kms-key-pending-deletion');
        await expect(provider.generateDataKey(keyId, CONTEXT, options())).rejects.toEqual(refused);
        await expect(provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, options())).rejects.toEqual(
          refused,
        );
        expect(await provider.cancelKeyDeletion?.(keyId, options())).toMatchObject({ state: 'disabled' });
        await provider.setKeyEnabled?.(keyId, true, options());
        expect(await provider.decryptDataKey(keyId, ciphertext, CONTEXT, undefined, options())).toEqual(plaintext);
      });
    }
  });
}
