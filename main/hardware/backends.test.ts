import { describe, expect, it } from 'vitest'
import { backendSystem, backendsOf } from './backends.ts'
import { fakeProc } from './testing/fake-proc.ts'

// All trees here are written by hand, in the places and forms of Debian's packages of Mesa and of NVIDIA's driver. No card was at hand.

const icd = (library: string): string =>
  JSON.stringify({ ICD: { api_version: '1.3.0', library_path: library }, file_format_version: '1.0.0' })
function tree(files: Readonly<Record<string, string>>): string {
  const { root, write } = fakeProc()
  for (const [path, text] of Object.entries(files)) write(path, text)
  return root
}
const linux = (files: Readonly<Record<string, string>>, arch = 'x64') => backendSystem('linux', arch, tree(files))
const manifests = 'usr/share/vulkan/icd.d'
const loader = { 'usr/lib/x86_64-linux-gnu/libvulkan.so.1': '' }
const radeon = { vendor: 'amd', driver: null } as const
const rtx = { vendor: 'nvidia', driver: '555.42' } as const
const arc = { vendor: 'intel', driver: null } as const

describe('under Linux', () => {
  it('Vulkan is for the makers whose drivers the loader finds; of others nothing is known', () => {
    const system = linux({
      ...loader,
      [`${manifests}/radeon_icd.x86_64.json`]: icd('libvulkan_radeon.so'),
      [`${manifests}/lvp_icd.x86_64.json`]: icd('libvulkan_lvp.so'),
      'etc/vulkan/icd.d/nvidia_icd.json': icd('libGLX_nvidia.so.0'),
    })
    expect(backendsOf(radeon, system)).toEqual({ cuda: false, vulkan: true, metal: false })
    expect(backendsOf(rtx, system).vulkan).toBe(true)
    expect(backendsOf(arc, system).vulkan).toBeNull()
  })

  it('a driver without the loader is not enough, and files that are no manifests say nothing', () => {
    const intel = icd('/usr/lib/libvulkan_intel.so')
    expect(backendsOf(arc, linux({ [`${manifests}/intel.json`]: intel })).vulkan).toBeNull()
    expect(backendsOf(arc, linux({ ...loader, [`${manifests}/intel.json`]: intel })).vulkan).toBe(true)
    for (const text of ['', '{', '[]', '{"ICD":{"library_path":5}}', '{"ICD":null}']) {
      expect(backendsOf(arc, linux({ ...loader, [`${manifests}/intel.json`]: text })).vulkan).toBeNull()
    }
    expect(backendsOf(arc, linux({ ...loader, [`${manifests}/intel.json.bak`]: intel })).vulkan).toBeNull()
  })

  it('CUDA is for NVIDIA’s own driver, where the engine has it', () => {
    const driver = { 'usr/lib/x86_64-linux-gnu/libcuda.so.1': '' }
    expect(backendsOf(rtx, linux(driver)).cuda).toBe(true)
    expect(backendsOf(rtx, linux({})).cuda).toBeNull()
    expect(backendsOf({ ...rtx, driver: null }, linux(driver)).cuda).toBeNull()
    expect(backendsOf(rtx, linux(driver, 'arm64')).cuda).toBe(false)
    expect(backendsOf({ vendor: 'other', driver: null }, linux(driver)).cuda).toBeNull()
    expect([backendsOf(radeon, linux(driver)).cuda, backendsOf(arc, linux(driver)).cuda]).toEqual([false, false])
  })
})

it('on ARM the engine has neither CUDA nor Vulkan, whatever drivers are here', () => {
  const onLinux = linux({ ...loader, [`${manifests}/nvidia_icd.json`]: icd('libGLX_nvidia.so.0') }, 'arm64')
  const onWindows = backendSystem('win32', 'arm64', tree({ 'System32/nvcuda.dll': '' }))
  expect(onLinux.vulkanMakers).toContain('nvidia')
  for (const system of [onLinux, onWindows])
    for (const card of [rtx, radeon, { vendor: 'other', driver: null } as const])
      expect(backendsOf(card, system)).toEqual({ cuda: false, vulkan: false, metal: false })
})

describe('elsewhere', () => {
  it('Windows tells of CUDA by its library, and of Vulkan nothing', () => {
    const system = backendSystem('win32', 'x64', tree({ 'System32/nvCUDA.dll': '', 'System32/vulkan-1.dll': '' }))
    expect(backendsOf(rtx, system)).toEqual({ cuda: true, vulkan: null, metal: false })
    expect(backendsOf(radeon, system)).toEqual({ cuda: false, vulkan: null, metal: false })
    expect(backendsOf(rtx, backendSystem('win32', 'x64', tree({}))).cuda).toBeNull()
  })

  it('Metal is for Apple’s own processors', () => {
    const mac = (arch: string) => backendSystem('darwin', arch)
    expect(backendsOf({ vendor: 'apple', driver: null }, mac('arm64'))).toEqual({ cuda: false, vulkan: false, metal: true })
    expect(backendsOf(radeon, mac('x64')).metal).toBeNull()
  })

  it('of a system without a built-in engine nothing is known', () => {
    expect(backendsOf(rtx, backendSystem('freebsd', 'x64')).cuda).toBeNull()
  })
})
