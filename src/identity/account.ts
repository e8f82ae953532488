/** Id of the one account there is: twelve digits, because tools insist on them. */
export const ACCOUNT = '000000000000';

/** The ARN of a user, or of root for the name that no user can have. */
export function userArn(name: string): string {
  return `arn:aws:iam::${ACCOUNT}:${name === 'root' ? 'root' : `user/${name}`}`;
}
