"""Physical constants in the kit's units (eV, angstrom, fs, dalton). Source: CODATA 2018, NIST SP 961."""

HARTREE_EV = 27.211386245988
BOHR_ANGSTROM = 0.529177210903
BOLTZMANN_EV_PER_K = 8.617333262e-5
# 1 eV/angstrom on 1 dalton accelerates by this many angstrom/fs^2.
ACCELERATION = 1.602176634e-19 / 1.66053906660e-27 * 1e-10

# Standard atomic masses, dalton (IUPAC 2021, abridged); enough for organic molecules.
MASS_DALTON = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998, "S": 32.06, "Cl": 35.45}
