import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FieldValues } from '../../src/config/subsystem';
import type { KmsErrorKind } from '../../src/kms/kms-error';
import type { CallOptions } from '../../src/kms/kms-provider';
import { pkcs11Settings } from '../../src/kms/providers/pkcs11-settings';
import { Pkcs11Provider } from '../../src/kms/providers/pkcs11.provider';
import { softHsmLibrary, startSoftHsm, type SoftHsm } from '../support/soft-hsm';
import { describeKmsProvider } from './kms-provider.contract';
import { pinnedCapabilities } from './provider-pins';

const PIN = 'right-pin';
const CONTEXT = { bucket: 'bucket/key' };
const library = softHsmLibrary();
let hsm: SoftHsm;

const options = (): CallOptions => ({ signal: AbortSignal.timeout(10_000) });
const failure = (kind: KmsErrorKind): unknown => expect.objectContaining({ name: 'KmsError', kind });

function provider(values: FieldValues): Pkcs11Provider {
  const settings = pkcs11Settings({ library, key_name: 'default-key', create_key: true, ...values });
  return new Pkcs11Provider('pkcs11:contract', settings, hsm.startThread);
}

async function using<T>(values: FieldValues, work: (subject: Pkcs11Provider) => Promise<T>): Promise<T> {
  const subject = provider(values);
  try {
    return await work(subject);
  } finally {
    await subject.destroy();
  }
}

if (library === undefined) {
  describe('KMS provider contract: PKCS#11', () => {
    it.skip('NOT RUN: install softhsm2 and the optional package pkcs11js to run the suite against SoftHSM', () =>
      undefined);
  });
} else {
  beforeAll(async () => {
    hsm = await startSoftHsm({ contract: PIN, pins: PIN, files: PIN, faults: PIN, hangs: PIN });
  });

  afterAll(() => hsm.close());

  describeKmsProvider('PKCS#11, SoftHSM', pinnedCapabilities('pkcs11'), async () =>
    Promise.resolve({
      provider: provider({ token_label: 'contract', pin: PIN }),
      dispose: () => Promise.resolve(),
    }),
  );

  describe('A wrong PIN', () => {
    it('is tried once and never again', async () => {
      await using({ token_label: 'pins', pin: 'wrong-pin' }, async (subject) => {
        const before = hsm.threads.length;
        for (let attempt = 0; attempt < 5; attempt++) {
          await expect(subject.generateDataKey('default-key', CONTEXT, options())).rejects.toMatchObject({
            kind: 'kms-unauthenticated',
            retryable: false,
          });
        }
        expect(hsm.threads.length - before).toBe(1);
      });
    });

    it('fails the connection test at the login, with a remedy and without the PIN', async () => {
      const report = await using({ token_label: 'pins', pin: 'wrong-pin' }, (subject) =>
        subject.testConnection(options()),
      );
      expect(report.ok).toBe(false);
      expect(report.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
        'library passed',
        'token passed',
        'login failed',
        'mechanism skipped',
        'key skipped',
        'round trip skipped',
      ]);
      expect(report.steps[2]?.remedy).toMatch(/pin/);
      expect(JSON.stringify(report)).not.toContain('wrong-pin');
    });

    it('gives way to another one in the file', async () => {
      const file = join(hsm.directory, 'pin');
      writeFileSync(file, 'wrong-pin\n');
      await using({ token_label: 'files', pin_file: file }, async (subject) => {
        await expect(subject.probe(options())).rejects.toEqual(failure('kms-unauthenticated'));
        await expect(subject.probe(options())).rejects.toEqual(failure('kms-unauthenticated'));
        writeFileSync(file, `${PIN}\n`);
        await expect(subject.probe(options())).resolves.toBeUndefined();
      });
    });
  });

  describe('What is not there', () => {
    it.each([
      ['library', { library: '/nonexistent/library.so', token_label: 'contract' }, 'kms-not-configured'],
      ['library that is none of PKCS#11', { library: '/bin/true', token_label: 'contract' }, 'kms-not-configured'],
      ['token', { token_label: 'nowhere' }, 'kms-unavailable'],
      ['slot', { slot: 4711 }, 'kms-unavailable'],
      ['key', { token_label: 'faults', create_key: false, key_name: 'nothing' }, 'kms-key-not-found'],
    ] as const)('is named: the %s', async (_what, values, kind) => {
      await using({ pin: PIN, ...values }, async (subject) => {
        await expect(subject.generateDataKey(subject.defaultKeyId, CONTEXT, options())).rejects.toEqual(failure(kind));
        const report = await subject.testConnection(options());
        expect(report.steps.find(({ outcome }) => outcome === 'failed')).toMatchObject({ remedy: expect.any(String) });
      });
    });
  });

  describe('The thread', () => {
    it('is replaced when it dies, and what it was asked is answered as unavailable', async () => {
      await using({ token_label: 'faults', pin: PIN }, async (subject) => {
        const { plaintext, ciphertext } = await subject.generateDataKey('default-key', CONTEXT, options());
        const first = hsm.threads.at(-1);
        const asked = Promise.allSettled(
          Array.from({ length: 50 }, () =>
            subject.decryptDataKey('default-key', ciphertext, CONTEXT, undefined, options()),
          ),
        );
        await first?.terminate();
        const outcomes = await asked;
        expect(
          outcomes.filter(({ status }) => status === 'rejected').map((each) => (each as PromiseRejectedResult).reason),
        ).toEqual([failure('kms-unavailable')]);
        expect(hsm.threads.at(-1)).not.toBe(first);
        expect(await subject.decryptDataKey('default-key', ciphertext, CONTEXT, undefined, options())).toEqual(
          plaintext,
        );
      });
    });

    it('ends with its provider, and is not started again', async () => {
      const subject = provider({ token_label: 'faults', pin: PIN });
      await subject.probe(options());
      const thread = hsm.threads.at(-1);
      const exit = thread && once(thread, 'exit');
      await subject.destroy();
      await exit;
      await expect(subject.probe(options())).rejects.toEqual(failure('kms-unavailable'));
    });

    it('is replaced when a call does not return, and callers wait no longer than the time of a call', async () => {
      await using({ token_label: 'hangs', pin: PIN, timeout: '2s' }, async (subject) => {
        const { plaintext, ciphertext } = await subject.generateDataKey('default-key', CONTEXT, options());
        const stuck = hsm.threads.at(-1)!;
        const release = hsm.hang('hangs');
        await expect(subject.describeKey('default-key', options())).rejects.toMatchObject({
          kind: 'kms-timeout',
          message: expect.stringContaining('did not return from its library within 2000 ms'),
          remedy: expect.stringContaining('HSM'),
        });
        const exit = once(stuck, 'exit');
        release();
        await exit;
        expect(hsm.threads.at(-1)).toBe(stuck);
        const opened = await subject.decryptDataKey('default-key', ciphertext, CONTEXT, undefined, options());
        expect(opened).toEqual(plaintext);
        expect(hsm.threads.at(-1)).not.toBe(stuck);
      });
    });

    it('answers callers that came after one who gave up', async () => {
      await using({ token_label: 'faults', pin: PIN }, async (subject) => {
        const gone = new AbortController();
        const abandoned = subject.probe({ signal: gone.signal });
        const waiting = subject.generateDataKey('default-key', CONTEXT, options());
        gone.abort(new Error('gone'));
        await expect(abandoned).rejects.toThrow('gone');
        expect((await waiting).plaintext).toHaveLength(32);
      });
    });
  });

  describe('The token', () => {
    it('is logged in to again when all sessions have been closed', async () => {
      await using({ token_label: 'faults', pin: PIN }, async (subject) => {
        const { plaintext, ciphertext } = await subject.generateDataKey('default-key', CONTEXT, options());
        await hsm.meddle('faults', 'library.C_CloseAllSessions(slot);');
        const opened = await subject.decryptDataKey('default-key', ciphertext, CONTEXT, undefined, options());
        expect(opened).toEqual(plaintext);
        await hsm.meddle('faults', 'library.C_Logout(session);');
        expect((await subject.generateDataKey('default-key', CONTEXT, options())).plaintext).toHaveLength(32);
      });
    });

    it('is found again when somebody has finalized the library', async () => {
      await using({ token_label: 'faults', pin: PIN }, async (subject) => {
        const { plaintext, ciphertext } = await subject.generateDataKey('default-key', CONTEXT, options());
        await hsm.meddle('faults', 'library.C_Finalize();');
        const opened = await subject.decryptDataKey('default-key', ciphertext, CONTEXT, undefined, options());
        expect(opened).toEqual(plaintext);
      });
    });

    it('wraps with no key that can leave it', async () => {
      await using({ token_label: 'faults', pin: PIN, key_name: 'leaky', create_key: false }, async (subject) => {
        await subject.probe(options());
        await hsm.meddle(
          'faults',
          `library.C_GenerateKey(session, { mechanism: js.CKM_AES_KEY_GEN }, [
            { type: js.CKA_LABEL, value: 'leaky' }, { type: js.CKA_ID, value: Buffer.of(1) },
            { type: js.CKA_VALUE_LEN, value: 32 }, { type: js.CKA_TOKEN, value: true },
            { type: js.CKA_SENSITIVE, value: false }, { type: js.CKA_EXTRACTABLE, value: true },
            { type: js.CKA_ENCRYPT, value: true }, { type: js.CKA_DECRYPT, value: true },
          ]);`,
        );
        await expect(subject.generateDataKey('leaky', CONTEXT, options())).rejects.toMatchObject({
          kind: 'kms-unsupported',
          message: expect.stringContaining('extractable'),
        });
        const { steps } = await subject.testConnection(options());
        expect(steps.find(({ name }) => name === 'key')).toMatchObject({ outcome: 'failed' });
        await subject.rotateKey('leaky', options());
        expect((await subject.generateDataKey('leaky', CONTEXT, options())).plaintext).toHaveLength(32);
      });
    });
  });

  describe('Several providers on one token', () => {
    it('wrap, unwrap, create and rotate at the same time', async () => {
      await using({ token_label: 'faults', pin: PIN }, (one) =>
        using({ token_label: 'faults', pin: PIN }, async (other) => {
          await one.createKey('shared', options());
          const made = await Promise.all(
            Array.from({ length: 60 }, async (_value, index) => {
              const [from, to] = index % 2 === 0 ? [one, other] : [other, one];
              if (index % 20 === 10) {
                await from.rotateKey('shared', options());
              }
              const { plaintext, ciphertext } = await from.generateDataKey('shared', CONTEXT, options());
              const opened = await to.decryptDataKey('shared', ciphertext, CONTEXT, undefined, options());
              return opened.equals(plaintext);
            }),
          );
          expect(made).toEqual(Array.from({ length: 60 }, () => true));
          expect((await one.describeKey('shared', options())).versions).toHaveLength(4);
        }),
      );
    });

    it('notices that a login was there already', async () => {
      await using({ token_label: 'faults', pin: PIN }, (one) =>
        using({ token_label: 'faults', pin: PIN }, async (other) => {
          await one.probe(options());
          const { ok, steps } = await other.testConnection(options());
          expect(ok).toBe(true);
          expect(steps.find(({ name }) => name === 'login')).toMatchObject({ outcome: 'warning' });
        }),
      );
    });
  });
}
