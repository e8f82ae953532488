import { DomainError } from '../common/domain-error';
import { KmsError, type KmsErrorKind } from '../kms/kms-error';
import { s3ErrorAnswer, S3Error } from './s3-error';

describe('s3ErrorAnswer', () => {
  it.each<[KmsErrorKind, number, string]>([
    ['kms-not-configured', 501, 'NotImplemented'],
    ['kms-unavailable', 503, 'ServiceUnavailable'],
    ['kms-timeout', 503, 'ServiceUnavailable'],
    ['kms-sealed', 503, 'ServiceUnavailable'],
    ['kms-throttled', 503, 'ServiceUnavailable'],
    ['kms-unauthenticated', 503, 'ServiceUnavailable'],
    ['kms-access-denied', 403, 'AccessDenied'],
    ['kms-key-not-found', 400, 'KMS.NotFoundException'],
    ['kms-key-disabled', 400, 'KMS.DisabledException'],
    ['kms-key-pending-deletion', 400, 'KMS.KMSInvalidStateException'],
    ['kms-invalid-ciphertext', 400, 'KMS.InvalidCiphertextException'],
    ['kms-unsupported', 501, 'NotImplemented'],
    ['kms-invalid-request', 400, 'InvalidArgument'],
    ['kms-key-exists', 500, 'InternalError'],
    ['kms-protocol', 500, 'InternalError'],
  ])('answers %s with %i %s', (kind, status, code) => {
    const answer = s3ErrorAnswer(new KmsError(kind, 'vault:default said so'));
    expect(answer).toMatchObject({ status, code, serverFault: status === 500 || status === 503 });
    expect(answer.headers['Retry-After']).toBe(status === 503 ? '5' : undefined);
  });

  it('names the KMS and the reason', () => {
    const sealed = s3ErrorAnswer(new KmsError('kms-sealed', 'vault:default is sealed'));
    expect(sealed.message).toContain('vault:default is sealed');
    const missing = s3ErrorAnswer(new KmsError('kms-not-configured', 'No target is enabled'));
    expect(missing.message).toContain('KMS is not configured');
  });

  it('fails closed on what it does not know, keeping its text inside', () => {
    for (const error of [new Error('secret path'), new DomainError('ObjectTampered', 'secret'), 'text', undefined]) {
      const answer = s3ErrorAnswer(error);
      expect(answer).toMatchObject({ code: 'InternalError', status: 500, serverFault: true, details: {} });
      expect(answer.message).not.toContain('secret');
    }
  });

  it('turns details into headers and elements', () => {
    const unchanged = new DomainError('NotModified', '', {
      details: { etag: 'abc', lastModified: '2026-01-02T03:04:05.678Z' },
    });
    expect(s3ErrorAnswer(unchanged)).toMatchObject({
      status: 304,
      details: {},
      headers: { ETag: '"abc"', 'Last-Modified': 'Fri, 02 Jan 2026 03:04:05 GMT' },
    });
    const range = new S3Error('InvalidRange', undefined, { ActualObjectSize: '3' });
    expect(s3ErrorAnswer(range)).toMatchObject({ status: 416, details: { ActualObjectSize: '3' } });
  });
});
