import { fakeTsm } from '../../../main/hardware/testing/fake-tsm.ts'
import { imageHash } from '../../../main/protocol/attestation/image-hash.ts'
import { evidenceWith, goodWorld, type World } from '../../../main/protocol/attestation/testing/synthetic-intel.ts'
import type { Machine } from '../../../main/roles/attesting.ts'

/** A confidential machine of the synthetic Intel's, as a role finds it where it runs. */
export interface SyntheticMachine {
  readonly hardware: Machine
  /** What it runs, as the network contract lists it. */
  readonly image: string
  /** Folder of the files that stand for the kernel's. */
  readonly folder: string
}

/** @param firstByte of the measurement of what it runs: machines that run different software differ in it */
export function syntheticMachine(firstByte: number): SyntheticMachine {
  const mrTd = new Uint8Array(48).fill(firstByte)
  const runs = (world: World): void => {
    world.quote.mrTd = mrTd
  }
  const files = fakeTsm('tdx_guest', (reportData) => {
    const attest = (world: World): void => {
      runs(world)
      world.quote.reportData = reportData
    }
    return evidenceWith(attest, Date.now()).quote
  })
  const { quote } = goodWorld()
  const image = Buffer.from(imageHash({ ...quote, mrTd, reportData: new Uint8Array(64) })).toString('hex')
  const tee = { kind: 'tdx-guest', canQuote: true, sentence: 'Runs inside a machine of the test.' } as const
  return { hardware: { tee, files, gpu: async () => 'none' }, image, folder: files.folder }
}
