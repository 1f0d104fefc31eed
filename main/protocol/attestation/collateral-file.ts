import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { Collateral } from './collateral.ts'
import { collateralJson, collateralSchema } from './collateral-json.ts'
import type { Platform } from './pck-extension.ts'

/** Collateral and when it came. */
export interface KeptCollateral {
  readonly collateral: Collateral
  readonly fetchedAtMs: number
}

const kept = z.strictObject({ version: z.literal(1), fetchedAtMs: z.int().min(0), collateral: collateralSchema })

/** What was kept in a folder; undefined when there is nothing that can be read. All of it is public and signed by Intel. */
export function readKept(folder: string, platform: Pick<Platform, 'fmspc' | 'authority'>): KeptCollateral | undefined {
  try {
    return kept.parse(JSON.parse(readFileSync(fileOf(folder, platform), 'utf8')))
  } catch {
    return undefined
  }
}

/** @throws Failure `disk-full`, `write-failed` */
export function writeKept(
  folder: string,
  platform: Pick<Platform, 'fmspc' | 'authority'>,
  { collateral, fetchedAtMs }: KeptCollateral,
): void {
  writeFileAtomic(fileOf(folder, platform), JSON.stringify({ version: 1, fetchedAtMs, collateral: collateralJson(collateral) }))
}

function fileOf(folder: string, { fmspc, authority }: Pick<Platform, 'fmspc' | 'authority'>): string {
  if (!/^[0-9a-f]{12}$/.test(fmspc)) throw new TypeError('no model of processor')
  return join(folder, `tdx-${fmspc}-${authority}.json`)
}
