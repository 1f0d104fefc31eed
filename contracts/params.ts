import { beginCell, type Cell, toNano } from '@ton/core'
import { coins, LayoutError, parseWhole, uint } from './cells.ts'

/** Price multipliers per kind of token; 10000 is 1x (protocol 70 §1). */
export interface Multipliers {
  readonly prompt: number
  readonly cached: number
  readonly completion: number
  readonly reasoning: number
}

/** Terms of a network, kept in the root contract and, without code, in every other contract (protocol 60 §2, 95 §3). */
export interface Params {
  /** Layout of the cell, 0 to 5. Part of every derived address. */
  readonly structVersion: number
  readonly paramsVersion: number
  readonly uniqueId: number
  /** True: no trusted hardware is required. Says nothing about the money being real. */
  readonly isTest: boolean
  /** nanoton per adjusted token, paid by clients */
  readonly pricePerToken: bigint
  /** nanoton per adjusted token, received by workers */
  readonly workerFeePerToken: bigint
  readonly multipliers: Multipliers
  readonly proxyDelaySec: number
  readonly clientDelaySec: number
  /** nanoton */
  readonly minProxyStake: bigint
  /** nanoton */
  readonly minClientStake: bigint
  readonly codes: ContractCodes
}

/** Code of the contracts that a network deploys; null where the cell does not carry it. */
export interface ContractCodes {
  readonly proxy: Cell | null
  readonly worker: Cell | null
  readonly client: Cell | null
}

/** Which code references a params cell keeps: all, worker and client, or none. */
export type ParamsForm = 'root' | 'proxy' | 'plain'

export const NEWEST_STRUCT_VERSION = 5
const DEFAULT_MULTIPLIER = 10_000
const DEFAULT_STAKE = toNano('1')
/**
 * A year. A root contract takes no longer delays: with one that does not fit before the end of the chain's clock neither a client nor a proxy
 * contract could ever be closed.
 */
export const LONGEST_DELAY_SEC = 365 * 86_400

/**
 * Writes the params cell in the struct version that it names. Throws RangeError for a value that does not fit its
 * field, or that this struct version cannot express.
 */
export function storeParams(params: Params, form: ParamsForm): Cell {
  const version = Number(uint('structVersion', params.structVersion, 8))
  if (version > NEWEST_STRUCT_VERSION) throw new RangeError(`structVersion must be 0..${NEWEST_STRUCT_VERSION}, not ${version}`)
  const cell = beginCell()
    .storeUint(version, 8)
    .storeUint(uint('paramsVersion', params.paramsVersion, 32), 32)
    .storeUint(uint('uniqueId', params.uniqueId, 32), 32)
    .storeBit(params.isTest)
    .storeCoins(coins('pricePerToken', params.pricePerToken))
    .storeCoins(coins('workerFeePerToken', params.workerFeePerToken))
  for (const name of ['prompt', 'cached', 'completion', 'reasoning'] as const) {
    const value = uint(`multipliers.${name}`, params.multipliers[name], 32)
    if (hasMultiplier(version, name)) cell.storeUint(value, 32)
    else if (value !== BigInt(DEFAULT_MULTIPLIER))
      throw new RangeError(`multipliers.${name} must be 10000 in struct version ${version}, not ${value}`)
  }
  cell
    .storeUint(uint('proxyDelaySec', params.proxyDelaySec, 32), 32)
    .storeUint(uint('clientDelaySec', params.clientDelaySec, 32), 32)
  for (const name of ['minProxyStake', 'minClientStake'] as const) {
    const value = coins(name, params[name])
    if (version >= 1) cell.storeCoins(value)
    else if (value !== DEFAULT_STAKE) throw new RangeError(`${name} must be 1 TON in struct version 0, not ${value} nanoton`)
  }
  const keep = form === 'root' ? ['proxy', 'worker', 'client'] : form === 'proxy' ? ['worker', 'client'] : []
  for (const name of ['proxy', 'worker', 'client'] as const) cell.storeMaybeRef(keep.includes(name) ? params.codes[name] : null)
  return cell.endCell()
}

/** Refuses terms whose contracts could not be closed. Throws RangeError that names the one that is longer than a year. */
export function requireDelays(params: Pick<Params, 'proxyDelaySec' | 'clientDelaySec'>): void {
  for (const name of ['proxyDelaySec', 'clientDelaySec'] as const) {
    const value = uint(name, params[name], 32)
    if (value > LONGEST_DELAY_SEC) throw new RangeError(`${name} must be 0..${LONGEST_DELAY_SEC} (a year), not ${value}`)
  }
}

/** Reads a params cell of struct version 0 to 5. Throws LayoutError; `newer` for a later version. */
export function parseParams(cell: Cell): Params {
  return parseWhole('params', cell, (slice) => {
    const structVersion = slice.loadUint(8)
    if (structVersion > NEWEST_STRUCT_VERSION) {
      throw new LayoutError(`The root contract is newer than this software (struct version ${structVersion}).`, { newer: true })
    }
    const paramsVersion = slice.loadUint(32)
    const uniqueId = slice.loadUint(32)
    const isTest = slice.loadBit()
    const pricePerToken = slice.loadCoins()
    const workerFeePerToken = slice.loadCoins()
    const multiplier = (name: keyof Multipliers) => (hasMultiplier(structVersion, name) ? slice.loadUint(32) : DEFAULT_MULTIPLIER)
    const prompt = multiplier('prompt')
    const cached = multiplier('cached')
    const completion = multiplier('completion')
    const reasoning = multiplier('reasoning')
    const proxyDelaySec = slice.loadUint(32)
    const clientDelaySec = slice.loadUint(32)
    const minProxyStake = structVersion >= 1 ? slice.loadCoins() : DEFAULT_STAKE
    const minClientStake = structVersion >= 1 ? slice.loadCoins() : DEFAULT_STAKE
    const proxy = slice.loadMaybeRef()
    const worker = slice.loadMaybeRef()
    const client = slice.loadMaybeRef()
    return {
      structVersion,
      paramsVersion,
      uniqueId,
      isTest,
      pricePerToken,
      workerFeePerToken,
      multipliers: { prompt, cached, completion, reasoning },
      proxyDelaySec,
      clientDelaySec,
      minProxyStake,
      minClientStake,
      codes: { proxy, worker, client },
    }
  })
}

function hasMultiplier(structVersion: number, name: keyof Multipliers): boolean {
  if (structVersion >= 3) return true
  return structVersion === 2 && (name === 'cached' || name === 'reasoning')
}

/** The code of one contract, which a root's params always carry. Throws LayoutError when this cell does not. */
export function requireCode(params: Params, name: keyof ContractCodes): Cell {
  const code = params.codes[name]
  if (code === null) throw new LayoutError(`These params carry no ${name} code; read them from the root contract.`)
  return code
}
