import type { IncomingMessage } from 'node:http';
import { isQueryProtocol } from './front-door';

const FORM = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };

describe('the query protocol of AWS', () => {
  it.each([
    ['POST', '/', FORM],
    ['POST', '/?', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['GET', '/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=0', {}],
    ['GET', '/?Version=2011-06-15&Action=GetCallerIdentity', {}],
  ])('is %s %s', (method, url, headers) => {
    expect(isQueryProtocol({ method, url, headers } as IncomingMessage)).toBe(true);
  });

  it.each([
    ['GET', '/', {}],
    ['GET', '/?max-buckets=1', {}],
    ['GET', '/?Action=GetCallerIdentity', {}],
    ['GET', '/?Version=2011-06-15', {}],
    ['GET', '/bucket?Action=GetCallerIdentity&Version=2011-06-15', {}],
    ['POST', '/bucket', FORM],
    ['POST', '/', {}],
    ['POST', '/', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['PUT', '/', FORM],
  ])('is not %s %s', (method, url, headers) => {
    expect(isQueryProtocol({ method, url, headers } as IncomingMessage)).toBe(false);
  });
});
