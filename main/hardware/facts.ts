import si from 'systeminformation'
import type { Gpu, HardwareFacts } from '../../preload/api/system.ts'
import type { Logger } from '../base/logger.ts'
import { type BackendSystem, backendSystem, backendsOf } from './backends.ts'
import { type GpuConfidential, queryGpuConfidential } from './gpu-confidential.ts'
import { type NvidiaGpu, queryNvidia } from './nvidia-smi.ts'
import { detectTee } from './tee.ts'
import { vendorOf } from './vendor.ts'

/** Where the facts come from; tests give others. */
export interface FactSources {
  readonly cpu: () => Promise<si.Systeminformation.CpuData>
  readonly memory: () => Promise<si.Systeminformation.MemData>
  readonly os: () => Promise<si.Systeminformation.OsData>
  readonly graphics: () => Promise<si.Systeminformation.GraphicsData>
  readonly nvidia: () => Promise<NvidiaGpu[]>
  readonly tee: () => HardwareFacts['tee']
  readonly gpuConfidential: () => Promise<GpuConfidential>
  readonly backends: () => BackendSystem
}

export const systemSources: FactSources = {
  cpu: si.cpu,
  memory: si.mem,
  os: si.osInfo,
  graphics: si.graphics,
  nvidia: () => queryNvidia(),
  tee: () => detectTee(),
  gpuConfidential: () => queryGpuConfidential(),
  backends: () => backendSystem(),
}

/** Display adapters of virtual machines and remote screens: nothing that could compute. */
const notAGpu = /virtual|vmware|vbox|qxl|cirrus|bochs|basic display|remote|parsec|citrix|aspeed|matrox/i

function otherGpus({ controllers }: si.Systeminformation.GraphicsData): Gpu[] {
  return controllers
    .filter((controller) => !notAGpu.test(`${controller.vendor} ${controller.model}`))
    .map((controller) => ({
      name: controller.model || controller.name || 'Unnamed GPU',
      vendor: vendorOf(`${controller.vendor} ${controller.model}`),
      // The library counts MiB, and tells shared memory as if it were the card's own.
      memoryBytes: controller.vram && !controller.vramDynamic ? controller.vram * 2 ** 20 : null,
      driver: controller.driverVersion ?? null,
      pciId: controller.pciBus ?? controller.busAddress ?? null,
    }))
}

/** Reads what this computer is. A source that fails leaves its part unknown; CPU and memory are always known. */
export async function readFacts(logger: Logger, sources: FactSources = systemSources): Promise<HardwareFacts> {
  const orNull = <T>(what: string, reading: Promise<T>): Promise<T | null> =>
    reading.catch((error: unknown) => {
      logger.warn('a hardware source failed', { what, kind: error instanceof Error ? error.message : 'unknown' })
      return null
    })
  const [cpu, memory, os, graphics, nvidia] = await Promise.all([
    sources.cpu(),
    sources.memory(),
    sources.os(),
    orNull('graphics', sources.graphics()),
    orNull('nvidia-smi', sources.nvidia()),
  ])
  const cards: Gpu[] = (nvidia ?? []).map(({ name, memoryBytes, driver, pciId }) => ({
    name,
    vendor: 'nvidia',
    memoryBytes,
    driver,
    pciId,
  }))
  const others = graphics ? otherGpus(graphics).filter((gpu) => gpu.vendor !== 'nvidia' || cards.length === 0) : []
  const system = sources.backends()
  return {
    cpu: {
      name: [cpu.manufacturer, cpu.brand].filter(Boolean).join(' ').trim() || 'Unknown processor',
      vendor: cpu.vendor || cpu.manufacturer || 'unknown',
      physicalCores: Math.max(1, cpu.physicalCores),
      threads: Math.max(1, cpu.cores),
      speedGHz: cpu.speedMax || cpu.speed || null,
    },
    memoryBytes: memory.total,
    gpus: [...cards, ...others].map((card) => ({ ...card, backends: backendsOf(card, system) })),
    os: { platform: os.platform, name: os.distro, version: os.release, arch: os.arch },
    tee: sources.tee(),
    ...(cards.length > 0 && { gpuConfidential: await sources.gpuConfidential() }),
  }
}
