import type { VectorFile } from './vector-cases.ts'

/** Cases that are not replayed: a pattern of their names, and why. Each must match a case that the file holds. */
export const exclusions: readonly { readonly file: VectorFile; readonly cases: RegExp; readonly why: string }[] = [
  {
    file: 'wire/session_short_auth_all_requests',
    cases: / tls$/,
    why: 'sizes and first records of TLS hold fresh random keys; what TLS must be like is tested in dial-listen.test.ts',
  },
]

/** Why a case is not replayed; undefined when it must be. */
export function excluded(file: VectorFile, name: string): string | undefined {
  return exclusions.find((one) => one.file === file && one.cases.test(name))?.why
}
