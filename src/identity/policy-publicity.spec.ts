import { parsePolicy } from './policy-document';
import { isPublicPolicy } from './policy-publicity';

const statement = (more: object): object => ({
  Effect: 'Allow',
  Principal: '*',
  Action: 's3:GetObject',
  Resource: 'arn:aws:s3:::team/*',
  ...more,
});

const isPublic = (...statements: object[]): boolean =>
  isPublicPolicy(
    parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), { type: 'bucket', bucket: 'team' }),
  );

describe('a bucket policy', () => {
  it.each<[string, object]>([
    ['to everyone', {}],
    ['to everyone by a list', { Principal: { AWS: ['arn:aws:iam:::user/alice', '*'] } }],
    ['to everyone, of a rare action', { Action: 's3:GetBucketTagging', Resource: 'arn:aws:s3:::team' }],
    ['by a header anybody can send', { Condition: { StringEquals: { 'aws:Referer': 'https://example.org' } } }],
    ['by a wildcard', { Condition: { StringLike: { 'aws:PrincipalOrgID': 'o-*' } } }],
    ['by a variable', { Condition: { StringEquals: { 'aws:userid': '${aws:username}' } } }],
    ['by one fixed value of two', { Condition: { StringLike: { 'aws:SourceVpc': ['vpc-1', 'vpc-*'] } } }],
    ['to what is not named', { Condition: { StringNotEquals: { 'aws:SourceVpc': 'vpc-1' } } }],
    ['to those who lack the key', { Condition: { StringEqualsIfExists: { 'aws:SourceVpc': 'vpc-1' } } }],
    ['to all of no values', { Condition: { 'ForAllValues:StringEquals': { 'aws:SourceVpc': 'vpc-1' } } }],
    ['to every address', { Condition: { IpAddress: { 'aws:SourceIp': '0.0.0.0/0' } } }],
    ['to half of all addresses', { Condition: { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '128.0.0.0/1'] } } }],
    ['to a wide range of IPv6', { Condition: { IpAddress: { 'aws:SourceIp': '2000::/3' } } }],
  ])('that allows something %s is public', (_, more) => {
    expect(isPublic(statement(more))).toBe(true);
    expect(isPublic(statement({ Principal: { AWS: 'alice' } }), statement(more))).toBe(true);
  });

  it.each<[string, object]>([
    ['to a user', { Principal: { AWS: 'arn:aws:iam:::user/alice' } }],
    ['to a canonical id', { Principal: { CanonicalUser: 'abc' } }],
    ['to a service', { Principal: { Service: 'logging.s3.amazonaws.com' } }],
    ['to fixed addresses', { Condition: { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '192.0.2.1'] } } }],
    ['to a range of IPv6', { Condition: { IpAddress: { 'aws:SourceIp': '2001:db8::/32' } } }],
    ['to a network', { Condition: { StringEquals: { 'AWS:sourcevpce': ['vpce-1', 'vpce-2'] } } }],
    ['to an organisation', { Condition: { 'ForAnyValue:StringLike': { 'aws:PrincipalOrgPaths': 'o-1/r-1' } } }],
    ['to nobody', { Effect: 'Deny' }],
  ])('that allows something %s is not', (_, more) => {
    expect(isPublic(statement(more))).toBe(false);
  });
});
