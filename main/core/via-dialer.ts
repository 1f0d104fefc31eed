import { dialVia, type RouterAddress } from '../protocol/wire/dial-via.ts'
import { checked, type Dial, type DialerOptions } from './dialer.ts'

/**
 * How client and worker reach a proxy through a router on this computer, which does proof of work and TLS by its own policy and says who
 * answered (protocol 10 §4, §6).
 */
export function openViaDialer(router: RouterAddress, { check }: Pick<DialerOptions, 'check'> = {}): Dial {
  return async ({ host, port }, signal) => checked(await dialVia({ router, host, port, signal }), check)
}
