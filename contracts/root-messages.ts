import type { Cell, Slice } from '@ton/core'
import { loadBytes, parseWhole } from './cells.ts'
import { type ProxyEndpoints, parseEndpoints } from './net-address.ts'
import { ROOT_OPS, type RootRequest } from './root.ts'
import { entryText } from './root-layout.ts'

/** An owner's request as it was sent. */
export interface ParsedRootRequest {
  readonly queryId: bigint
  readonly request: RootRequest
}

/**
 * Reads the body of an owner's message to the root contract. Null when it is none, malformed, or names a network address that
 * nobody can use: anyone can send anything there.
 */
export function parseRootRequest(body: Cell): ParsedRootRequest | null {
  try {
    return parseWhole('root request', body, (slice) => {
      const number = slice.loadUint(32)
      const queryId = slice.loadUintBig(64)
      const op = (Object.keys(ROOT_OPS) as (keyof typeof ROOT_OPS)[]).find((name) => ROOT_OPS[name] === number)
      if (op === undefined) throw new RangeError('another operation')
      return { queryId, request: loadRequest(op, slice) }
    })
  } catch {
    return null
  }
}

function loadRequest(op: keyof typeof ROOT_OPS, slice: Slice): RootRequest {
  switch (op) {
    case 'registerProxy':
      return { op, endpoints: loadEndpoints(slice) }
    case 'unregisterProxy':
      return { op, seqno: slice.loadUint(32) }
    case 'updateProxy':
      return { op, seqno: slice.loadUint(32), endpoints: loadEndpoints(slice) }
    case 'changePrice':
      return { op, pricePerToken: slice.loadCoins(), workerFeePerToken: slice.loadCoins() }
    case 'changeParams':
      return {
        op,
        pricePerToken: slice.loadCoins(),
        workerFeePerToken: slice.loadCoins(),
        proxyDelaySec: slice.loadUint(32),
        clientDelaySec: slice.loadUint(32),
        minProxyStake: slice.loadCoins(),
        minClientStake: slice.loadCoins(),
      }
    case 'upgradeContracts':
      return { op, proxy: slice.loadRef(), worker: slice.loadRef(), client: slice.loadRef() }
    case 'upgradeCode':
      return { op, code: slice.loadRef() }
    case 'reset':
      return { op }
    case 'fullUpgrade':
      return { op, data: slice.loadRef(), code: slice.loadRef() }
    case 'changeOwner':
      return { op, owner: slice.loadAddress() }
    case 'addPublicKey':
      return { op, publicKey: loadBytes(slice, 32), type: slice.loadUint(8), expiresAtSec: slice.loadUint(32) }
    case 'changeKeyManager': {
      const publicKey = loadBytes(slice, 32)
      const imageHash = loadBytes(slice, 32)
      const text = entryText.parse(slice)
      return { op, publicKey, imageHash, endpoints: text === '' ? null : usable(text) }
    }
    default:
      return { op, hash: loadBytes(slice, 32) }
  }
}

function loadEndpoints(slice: Slice): ProxyEndpoints {
  return usable(entryText.parse(slice))
}

function usable(text: string): ProxyEndpoints {
  const endpoints = parseEndpoints(text)
  if (endpoints === null) throw new RangeError('no network address')
  return endpoints
}
