import { DomainError } from '../common/domain-error';
import { SignatureError } from '../identity/sigv4/signature-error';
import { StsError, stsErrorAnswer } from './sts-error';

describe('answers to failures of STS', () => {
  it.each([
    ['ExpiredToken', 'ExpiredToken', 403],
    ['InvalidAccessKeyId', 'InvalidClientTokenId', 403],
    ['InvalidToken', 'InvalidClientTokenId', 403],
    ['RequestTimeTooSkewed', 'SignatureDoesNotMatch', 403],
    ['AuthorizationHeaderMalformed', 'IncompleteSignature', 400],
  ] as const)('turn %s of S3 into %s', (kind, code, status) => {
    expect(stsErrorAnswer(new SignatureError(kind, 'words'))).toMatchObject({ code, status });
  });

  it('tell the words of STS, not which access keys there are', () => {
    const answer = stsErrorAnswer(new SignatureError('InvalidAccessKeyId', 'words', { AWSAccessKeyId: 'key' }));
    expect(answer.message).toBe('The security token included in the request is invalid.');
  });

  it('tell nothing of what is not understood', () => {
    for (const error of [new Error('secret'), new DomainError('kms-unavailable', 'secret'), 'secret']) {
      const answer = stsErrorAnswer(error);
      expect(answer).toMatchObject({ code: 'InternalFailure', status: 500 });
      expect(answer.message).not.toContain('secret');
    }
  });

  it('tell refusals of STS as they are', () => {
    expect(stsErrorAnswer(new StsError('ValidationError', 'words'))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'words',
    });
  });
});
