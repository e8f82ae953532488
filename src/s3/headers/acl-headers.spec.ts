import fc from 'fast-check';
import { carriesAcl, namedAcl } from './acl-headers';

const kindOf = (headers: Record<string, string>): string => {
  try {
    namedAcl(headers);
    return 'accepted';
  } catch (error) {
    return (error as { kind: string }).kind;
  }
};

describe('access lists in headers', () => {
  it('are absent without a header of theirs', () => {
    expect(namedAcl({ 'x-amz-meta-acl': 'public-read' })).toBeUndefined();
    expect(carriesAcl({ 'x-amz-meta-acl': 'public-read' })).toBe(false);
    expect(carriesAcl({ 'x-amz-acl': 'private' })).toBe(true);
    expect(carriesAcl({ 'x-amz-grant-write-acp': 'id=a' })).toBe(true);
  });

  it('are canned or grants, in every spelling of a grantee', () => {
    expect(namedAcl({ 'x-amz-acl': 'public-read' })).toEqual({ canned: 'public-read' });
    const headers = {
      'x-amz-grant-full-control': 'id=aa',
      'x-amz-grant-read': 'id="bb", uri="http://acs.amazonaws.com/groups/global/AllUsers",emailAddress=c@d.example',
    };
    expect(namedAcl(headers)).toEqual({
      grants: [
        { grantee: { kind: 'id', value: 'bb', argument: 'id' }, permission: 'READ' },
        {
          grantee: { kind: 'uri', value: 'http://acs.amazonaws.com/groups/global/AllUsers', argument: 'uri' },
          permission: 'READ',
        },
        { grantee: { kind: 'emailAddress', value: 'c@d.example', argument: 'emailAddress' }, permission: 'READ' },
        { grantee: { kind: 'id', value: 'aa', argument: 'id' }, permission: 'FULL_CONTROL' },
      ],
    });
  });

  it.each<[Record<string, string>, string]>([
    [{ 'x-amz-acl': 'mine' }, 'InvalidArgument'],
    [{ 'x-amz-acl': '' }, 'InvalidArgument'],
    [{ 'x-amz-grant-read': 'aa' }, 'InvalidArgument'],
    [{ 'x-amz-grant-read': 'name="aa"' }, 'InvalidArgument'],
    [{ 'x-amz-grant-read': 'id="a' }, 'InvalidArgument'],
    [{ 'x-amz-grant-read': 'id=a,' }, 'InvalidArgument'],
    [{ 'x-amz-acl': 'private', 'x-amz-grant-read': 'id=a' }, 'InvalidRequest'],
  ])('are refused when they are %j', (headers, kind) => {
    expect(kindOf(headers)).toBe(kind);
  });

  it('are read or refused, whatever is sent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(['accepted', 'InvalidArgument']).toContain(kindOf({ 'x-amz-grant-write': value }));
      }),
    );
  });
});
