import type { Cell } from '@ton/core'
import { contractCode } from './code.ts'

/** Code of the client contracts of the main network, hex (protocol 60 §1). */
const mainNetworkClient = '974d24538e6003b1a393f8708525b81324cf8a78aee88b4585d51b6f64555147'

/**
 * Whether a client contract of this code takes charges as the protocol says (60 §6.2). Whoever makes a network chooses the code, and any code is good for an
 * address; of one that is not known here nothing can be said, also of ours of another version.
 */
export const isKnownClientCode = (code: Cell): boolean =>
  [mainNetworkClient, contractCode.client.hash().toString('hex')].includes(code.hash().toString('hex'))
