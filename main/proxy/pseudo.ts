import { createHash } from 'node:crypto'
import type { Params } from '../../contracts/params.ts'
import type { ClientContractState } from './account.ts'
import { unlimitedTokens } from './admission.ts'

/**
 * The state that every client has in the mode without a blockchain: 10^15 tokens paid for, the stake of the params as the limit,
 * nothing used, and SHA-256 of the empty string as secret hash (60 §10). Never used with a chain.
 */
export function pseudoClientState(params: Params): ClientContractState {
  return {
    state: 'normal',
    balance: unlimitedTokens * params.pricePerToken,
    stake: params.minClientStake,
    used: 0n,
    secretHash: new Uint8Array(createHash('sha256').digest()),
  }
}
