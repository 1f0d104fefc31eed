import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Ledger } from './ledger.ts'
import { chainFileName } from './local-chain.ts'

/**
 * Which chain lies in that folder: a number that no other chain has, or 0 for one that was made before chains had numbers. An empty folder gets
 * the beginning of a chain. Undefined when the file cannot be read; whoever starts the chain is told why. Nobody may have the chain open.
 */
export function chainIdOf(folder: string, logger: Logger): number | undefined {
  try {
    mkdirSync(folder, { recursive: true })
    const ledger = new Ledger(join(folder, chainFileName), 1)
    try {
      return ledger.chainId
    } finally {
      ledger.close()
    }
  } catch (thrown) {
    logger.warn('the local chain could not be looked at', { reason: asError(thrown).message })
    return undefined
  }
}
