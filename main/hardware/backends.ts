import { join } from 'node:path'
import { z } from 'zod'
import type { Gpu, GpuBackends } from '../../preload/api/system.ts'
import { listFolder, readText } from './sysfs.ts'

type Maker = Gpu['vendor']

/** What of this system decides which of the engine's back ends can use a card. */
export interface BackendSystem {
  readonly platform: NodeJS.Platform
  readonly arch: string
  /** The library of NVIDIA's driver that CUDA goes through is here. */
  readonly cudaDriver: boolean
  /** The loader of Vulkan is here, and drivers for it by these makers. A maker that is not among them may have one elsewhere. */
  readonly vulkanMakers: ReadonlySet<Maker>
}

const libraryFolders = ['usr/lib', 'usr/lib64', 'usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'run/opengl-driver/lib']
const manifestFolders = [
  'usr/share/vulkan/icd.d',
  'usr/local/share/vulkan/icd.d',
  'etc/vulkan/icd.d',
  'run/opengl-driver/share/vulkan/icd.d',
]
/** A manifest of the Vulkan loader (its documentation, LoaderDriverInterface). */
const manifest = z.object({ ICD: z.object({ library_path: z.string().max(4096) }) })
const makerOf: ReadonlyArray<readonly [RegExp, Maker]> = [
  [/radeon|amdvlk/, 'amd'],
  [/vulkan_intel/, 'intel'],
  [/nvidia|nouveau/, 'nvidia'],
]

/** @param root where the file system begins; another place in tests */
export function backendSystem(platform = process.platform, arch: string = process.arch, root = '/'): BackendSystem {
  if (platform === 'win32') {
    const folder = join(root === '/' ? (process.env.SystemRoot ?? 'C:\\Windows') : root, 'System32')
    const cudaDriver = listFolder(folder).some((name) => name.toLowerCase() === 'nvcuda.dll')
    // Which maker's driver for Vulkan is here only the registry says, and only the loader reads it right.
    return { platform, arch, cudaDriver, vulkanMakers: new Set() }
  }
  if (platform !== 'linux') return { platform, arch, cudaDriver: false, vulkanMakers: new Set() }
  const has = (library: string): boolean => libraryFolders.some((folder) => listFolder(join(root, folder)).includes(library))
  const makers = manifestFolders.flatMap((folder) =>
    listFolder(join(root, folder)).flatMap((name) =>
      name.endsWith('.json') ? makersIn(readText(join(root, folder, name))) : [],
    ),
  )
  return { platform, arch, cudaDriver: has('libcuda.so.1'), vulkanMakers: new Set(has('libvulkan.so.1') ? makers : []) }
}

function makersIn(text: string | null): Maker[] {
  try {
    const { library_path } = manifest.parse(JSON.parse(text ?? '')).ICD
    return makerOf.flatMap(([pattern, maker]) => (pattern.test(library_path) ? [maker] : []))
  } catch {
    return []
  }
}

/**
 * Which of the engine's back ends can use a card: true where the driver for it is here, false where the engine has none for this system or this maker,
 * null where nothing says. The processor's can always be used. Built in are CUDA and Vulkan for x64 on Linux and Windows, and Metal on Apple's own processors.
 */
export function backendsOf({ vendor, driver }: Pick<Gpu, 'vendor' | 'driver'>, system: BackendSystem): GpuBackends {
  const { platform, arch } = system
  if (platform === 'darwin') return { cuda: false, vulkan: false, metal: vendor === 'apple' && arch === 'arm64' ? true : null }
  if (platform !== 'linux' && platform !== 'win32') return { cuda: null, vulkan: null, metal: false }
  if (arch !== 'x64') return { cuda: false, vulkan: false, metal: false }
  const forCuda = vendor === 'nvidia' || vendor === 'other'
  // Of a card that NVIDIA's own driver does not run, nothing is known: it tells its version.
  const cuda = forCuda ? (vendor === 'nvidia' && driver !== null && system.cudaDriver ? true : null) : false
  return { cuda, vulkan: system.vulkanMakers.has(vendor) ? true : null, metal: false }
}
