/** Id of the one account there is: twelve digits, because tools insist on them. */
export const ACCOUNT = '000000000000';
