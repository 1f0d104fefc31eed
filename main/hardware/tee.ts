import { accessSync, constants, existsSync } from 'node:fs'
import type { HardwareFacts } from '../../preload/api/system.ts'
import { tsmFolder } from './tsm-report.ts'

/**
 * Whether this computer is a confidential VM that could prove itself (protocol 40 §10), by the devices that the guest kernel offers. A guest whose kernel
 * makes no quotes, or makes them for root alone, is one that cannot.
 * @param root where the file system begins; another place in tests
 */
export function detectTee(root = '/'): HardwareFacts['tee'] {
  const at = (path: string): string => `${root.replace(/\/$/, '')}${path}`
  const has = (path: string): boolean => existsSync(at(path))
  if (has('/dev/tdx_guest')) {
    const canQuote = isWritable(at(tsmFolder))
    return {
      kind: 'tdx-guest',
      canQuote,
      sentence: canQuote
        ? 'Runs inside an Intel TDX virtual machine, and can prove to others what it runs.'
        : 'Runs inside an Intel TDX virtual machine, but its kernel offers this app no quotes (configfs-tsm), so it cannot prove that to others.',
    }
  }
  if (has('/dev/sev-guest')) {
    return {
      kind: 'sev-snp-guest',
      canQuote: false,
      sentence: 'Runs inside an AMD SEV-SNP virtual machine. No verifier for its reports is here, so it counts as not proven.',
    }
  }
  return {
    kind: 'none',
    canQuote: false,
    sentence: 'This computer cannot prove to others what it runs, so it cannot serve the attested network.',
  }
}

/** A quote is asked for by making a folder. */
function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    // Missing, or for others alone: no quotes either way.
    return false
  }
}
