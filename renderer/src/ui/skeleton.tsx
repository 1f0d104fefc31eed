import { useEffect, useState } from 'react'

const widths = ['90%', '72%', '81%', '54%', '36%']

/** Nothing for 300 ms, then the shape of what comes, then after 2 s the name of what is awaited (ui.md §6). */
export function Skeleton({ awaited, lines = 3 }: { awaited: string; lines?: number }) {
  const [step, setStep] = useState<'nothing' | 'shape' | 'words'>('nothing')
  useEffect(() => {
    const shape = setTimeout(() => setStep('shape'), 300)
    const words = setTimeout(() => setStep('words'), 2_000)
    return () => {
      clearTimeout(shape)
      clearTimeout(words)
    }
  }, [])
  if (step === 'nothing') return <div aria-busy="true" />
  return (
    <div aria-busy="true" className="card flex flex-col gap-3 p-6">
      {widths.slice(0, lines).map((width) => (
        <div key={width} className="skeleton h-3.5" style={{ width }} />
      ))}
      <p className="text-xs text-ink-3" role="status">
        {step === 'words' ? awaited : ''}
      </p>
    </div>
  )
}
