"""How far meshes of the built-in scene are from the scene's exact surface (its depth maps, both splits).

    nerve demo scene
    python distance.py scene MESH...

Needs numpy, scipy, trimesh. Prints the chamfer distance (mean of both directions) as a part of the scene's diagonal and of
its longest side, and precision, recall and F-score at 1 % of the longest side.
"""
import sys, json, numpy as np, trimesh
from scipy.spatial import cKDTree
scene, meshes = sys.argv[1], sys.argv[2:]
pts=[]
for split in ('train','test'):
    t=json.load(open(f'{scene}/transforms_{split}.json'))
    for f in t['frames']:
        base=f"{scene}/{f['file_path'][2:]}"
        d=np.load(base+'_depth.npy'); n=d.shape[0]
        M=np.array(f['transform_matrix']); fl=n/2/np.tan(t['camera_angle_x']/2)
        y,x=np.mgrid[:n,:n]+0.5
        v=np.stack([(x-n/2)/fl,-(y-n/2)/fl,-np.ones_like(x)],-1); v/=np.linalg.norm(v,axis=-1,keepdims=True)
        p=M[:3,3]+(v@M[:3,:3].T)*d[...,None]
        pts.append(p[d>0])
pts=np.concatenate(pts); size=np.linalg.norm(pts.max(0)-pts.min(0)); side=(pts.max(0)-pts.min(0)).max()
rng=np.random.default_rng(0)
# even by area: one point per voxel
vox=np.unique((pts/(size/600)).round().astype(int),axis=0,return_index=True)[1]; pts=pts[vox]
print('exact points',len(pts),'diagonal',size,'side',side)
tree=cKDTree(pts)
for m in meshes:
    mesh=trimesh.load(m,process=False,force='mesh')
    s,_=trimesh.sample.sample_surface(mesh,200000,seed=1)
    a=tree.query(s)[0]; b=cKDTree(s).query(pts)[0]
    tau=0.01*side
    P=(a<tau).mean(); R=(b<tau).mean()
    print(m,'V',len(mesh.vertices),'F',len(mesh.faces),'components',mesh.body_count,'watertight',mesh.is_watertight,
      'winding',mesh.is_winding_consistent,'chamfer %% of diag %.3f side %.3f'%(100*(a.mean()+b.mean())/2/size,100*(a.mean()+b.mean())/2/side),
      'acc %.3f comp %.3f'%(100*a.mean()/side,100*b.mean()/side),'P %.4f R %.4f F %.4f'%(P,R,2*P*R/(P+R)))
