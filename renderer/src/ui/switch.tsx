import { Switch as Radix } from 'radix-ui'

interface SwitchProps {
  label: string
  /** Id of what describes it. */
  describedBy?: string
  on: boolean
  disabled?: boolean
  onChange(on: boolean): void
}

export function Switch({ label, describedBy, on, disabled = false, onChange }: SwitchProps) {
  return (
    <Radix.Root
      className="switch"
      aria-label={label}
      aria-describedby={describedBy}
      checked={on}
      disabled={disabled}
      onCheckedChange={onChange}
    >
      <Radix.Thumb />
    </Radix.Root>
  )
}
