import fc from 'fast-check';
import type { ConfigReadout, EffectiveField } from '../../config/subsystem';
import { parseConfigSelection, parseConfigText, printDocument, printFields } from './config-text';

function readout(fields: Record<string, Partial<EffectiveField>>, changes: Partial<ConfigReadout> = {}): ConfigReadout {
  return {
    subsystem: 'kms_vault',
    target: 'default',
    version: 1,
    enabled: true,
    fields: Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [
        name,
        { value: undefined, source: 'database', secret: false, ...field },
      ]),
    ),
    ...changes,
  };
}

describe('configuration text', () => {
  it.each<[string, string, object[]]>([
    ['nothing', ' \n# a comment\n\n', []],
    ['a bare name', 'kms_vault', [{ subsystem: 'kms_vault', target: '_', fields: {} }]],
    [
      'targets, quotes and comments',
      '# first\nkms_vault:eu endpoint=https://v:8200/?a=b key_name="app key"\n\n  # MINIO_X=y\nkms comment=\'it "is"\'\n',
      [
        { subsystem: 'kms_vault', target: 'eu', fields: { endpoint: 'https://v:8200/?a=b', key_name: 'app key' } },
        { subsystem: 'kms', target: '_', fields: { comment: 'it "is"' } },
      ],
    ],
    [
      'values that a shell has taken the quotes from',
      'kms_vault comment=two words  more token=hvs.A== key_name=',
      [{ subsystem: 'kms_vault', target: '_', fields: { comment: 'two words  more', token: 'hvs.A==', key_name: '' } }],
    ],
    [
      'line breaks within quotes',
      'kms_vault ca_pem="-----BEGIN\nAAA=\n-----END" token=x\r\nkms',
      [
        { subsystem: 'kms_vault', target: '_', fields: { ca_pem: '-----BEGIN\nAAA=\n-----END', token: 'x' } },
        { subsystem: 'kms', target: '_', fields: {} },
      ],
    ],
    [
      'a comment sign within a value',
      'kms_vault: token=#1',
      [{ subsystem: 'kms_vault', target: '_', fields: { token: '#1' } }],
    ],
  ])('reads %s', (_, text, lines) => {
    expect(parseConfigText(text)).toEqual(lines);
  });

  it.each([
    ['a value without a field', 'kms_vault endpoint'],
    ['a quote without an end', 'kms_vault token="abc'],
    ['a field given twice', 'kms_vault token=a token=b'],
    ['something that is no name', 'KMS-VAULT token=a'],
    ['an equals sign alone', 'kms_vault =a'],
  ])('refuses %s and says in which line', (_, text) => {
    expect(() => parseConfigText(`# one\n${text}`)).toThrow(
      expect.objectContaining({ kind: 'InvalidPayload', message: expect.stringContaining('Line 2') }),
    );
  });

  it('brings back every value it printed', () => {
    const text = fc.string({ unit: 'grapheme' }).map((value) => value.trim());
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z][a-z_]{0,9}$/), text), (fields) => {
        const [line] = parseConfigText(printFields('kms_vault', 'eu', fields));
        expect(line).toEqual({ subsystem: 'kms_vault', target: 'eu', fields: { ...fields } });
      }),
    );
  });

  it('prints what is stored in a line, and what the environment pins above it', () => {
    const document = readout({
      enabled: { value: true },
      endpoint: { value: 'https://v:8200', source: 'environment', origin: 'STRONGROOM_KMS_VAULT_ENDPOINT' },
      auth_approle_id: { value: 'id', source: 'environment', origin: 'MINIO_KMS_VAULT_APPROLE_ID' },
      mount_path: { value: 'transit', source: 'environment', origin: 'MINIO_OTHER' },
      token: { value: '*redacted*', secret: true },
      tls_skip_verify: { value: false, source: 'default' },
      comment: { value: 'two "words"' },
      namespace: {},
    });
    expect(printDocument(document, 'say')).toBe(
      '# STRONGROOM_KMS_VAULT_ENDPOINT=https://v:8200\n' +
        '# MINIO_KMS_VAULT_APPROLE_ID=id\n' +
        '# mount_path is set by MINIO_OTHER: transit\n' +
        'kms_vault token=*redacted* tls_skip_verify=off comment="two \\"words\\"" namespace=\n',
    );
  });

  it('says that a document is switched off, or comments it out', () => {
    const document = readout({ key_name: { value: 'k' } }, { enabled: false, target: 'eu' });
    expect(printDocument(document, 'say')).toBe('kms_vault:eu enable=off key_name=k\n');
    expect(printDocument(document, 'comment')).toBe('# kms_vault:eu key_name=k\n');
  });

  it('reads what is to be reset', () => {
    expect(parseConfigSelection('kms_vault')).toEqual({ subsystem: 'kms_vault', target: '_', fields: [] });
    expect(parseConfigSelection(' kms_vault:eu  token comment\n')).toEqual({
      subsystem: 'kms_vault',
      target: 'eu',
      fields: ['token', 'comment'],
    });
    for (const text of ['', 'kms_vault a=b', 'kms_vault a-b', ':eu']) {
      expect(() => parseConfigSelection(text)).toThrow(expect.objectContaining({ kind: 'InvalidPayload' }));
    }
  });
});
