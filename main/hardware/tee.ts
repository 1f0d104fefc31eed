import { existsSync } from 'node:fs'
import type { HardwareFacts } from '../../preload/api/system.ts'
import { tsmFolder } from './tsm-report.ts'

/**
 * Whether this computer is a confidential VM that could prove itself (protocol 40 §10), by the devices that the guest kernel offers.
 * @param root where the file system begins; another place in tests
 */
export function detectTee(root = '/'): HardwareFacts['tee'] {
  const has = (path: string): boolean => existsSync(`${root.replace(/\/$/, '')}${path}`)
  if (has('/dev/tdx_guest')) {
    return {
      kind: 'tdx-guest',
      sentence: has(tsmFolder)
        ? 'Runs inside an Intel TDX virtual machine, and can prove to others what it runs.'
        : 'Runs inside an Intel TDX virtual machine, but its kernel offers no quotes (configfs-tsm), so it cannot prove that to others.',
    }
  }
  if (has('/dev/sev-guest')) {
    return {
      kind: 'sev-snp-guest',
      sentence: 'Runs inside an AMD SEV-SNP virtual machine. No verifier for its reports is here, so it counts as not proven.',
    }
  }
  return { kind: 'none', sentence: 'This computer cannot prove to others what it runs, so it cannot serve the attested network.' }
}
