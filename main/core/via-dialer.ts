import { dialVia, type RouterAddress } from '../protocol/wire/dial-via.ts'
import type { Dial, DialerOptions } from './dialer.ts'

/**
 * How client and worker reach a proxy through a router on this computer, which does proof of work and TLS by its own policy and says who
 * answered (protocol 10 §4, §6).
 */
export function openViaDialer(router: RouterAddress, { check }: Pick<DialerOptions, 'check'> = {}): Dial {
  return async ({ host, port }, signal) => {
    const { connection, peer } = await dialVia({ router, host, port, signal })
    try {
      check?.(peer)
    } catch (thrown) {
      connection.close('The proxy was refused')
      throw thrown
    }
    return connection
  }
}
